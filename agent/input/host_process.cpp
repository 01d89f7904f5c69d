#include "input/host_process.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace holdfast {
namespace {

// Where the host finds its socket.
constexpr int host_socket = 3;

// The service manager's business with the daemon is not the plugins'.
constexpr std::array<std::string_view, 7> private_variables = {
    "NOTIFY_SOCKET=", "WATCHDOG_USEC=",  "WATCHDOG_PID=",         "LISTEN_PID=",
    "LISTEN_FDS=",    "LISTEN_FDNAMES=", "CREDENTIALS_DIRECTORY="};

std::vector<char*> host_environment() {
    std::vector<char*> variables;
    for (char** at = environ; *at != nullptr; ++at) {
        const std::string_view variable(*at);
        const bool withheld = std::any_of(private_variables.begin(), private_variables.end(),
                                          [&](std::string_view name) { return variable.starts_with(name); });
        if (!withheld) variables.push_back(*at);
    }
    variables.push_back(nullptr);
    return variables;
}

// posix_spawn's two parameter objects: own process group, no signal blocked or ignored, and no descriptor but
// the standard ones and the socket.
class SpawnSettings {
  public:
    explicit SpawnSettings(int socket) {
        ::posix_spawn_file_actions_init(&actions_);
        ::posix_spawn_file_actions_adddup2(&actions_, socket, host_socket);
        ::posix_spawn_file_actions_addclosefrom_np(&actions_, host_socket + 1);
        ::posix_spawnattr_init(&attributes_);
        sigset_t none;
        sigset_t all;
        ::sigemptyset(&none);
        ::sigfillset(&all);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        ::posix_spawnattr_setsigdefault(&attributes_, &all);
        ::posix_spawnattr_setpgroup(&attributes_, 0);
        ::posix_spawnattr_setflags(&attributes_,
                                   POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    }
    SpawnSettings(const SpawnSettings&) = delete;
    SpawnSettings& operator=(const SpawnSettings&) = delete;
    ~SpawnSettings() {
        ::posix_spawn_file_actions_destroy(&actions_);
        ::posix_spawnattr_destroy(&attributes_);
    }
    const posix_spawn_file_actions_t* actions() const { return &actions_; }
    const posix_spawnattr_t* attributes() const { return &attributes_; }

  private:
    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

}  // namespace

Result<HostProcess> HostProcess::start(const std::filesystem::path& program, const std::string& input,
                                       Bytes memory_limit, const frame::ToHost& first) {
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0)
        return system_error(Error::Kind::retry, "cannot make a socket pair for a plugin host", errno);
    UniqueFd ours(pair[0]);
    const UniqueFd theirs(pair[1]);
    ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
    const std::string bytes = frame::encode(first);
    if (::send(ours.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0)
        return system_error(Error::Kind::retry, "cannot hand its configuration to a plugin host", errno);

    std::array<std::string, 4> texts = {program.string(), std::to_string(::getpid()),
                                        std::to_string(memory_limit.count), input};
    std::array<char*, 5> arguments = {texts[0].data(), texts[1].data(), texts[2].data(), texts[3].data(),
                                      nullptr};
    const SpawnSettings settings(theirs.get());
    std::vector<char*> environment = host_environment();
    pid_t pid = 0;
    const int code = ::posix_spawn(&pid, program.c_str(), settings.actions(), settings.attributes(),
                                   arguments.data(), environment.data());
    if (code != 0)
        return system_error(code == ENOENT ? Error::Kind::config : Error::Kind::retry,
                            "cannot start the plugin host " + program.string(), code);
    return HostProcess(pid, std::move(ours));
}

void HostProcess::signal(int number) const {
    ::kill(pid_, number);
}

HostProcess::Received HostProcess::receive(std::string& buffer) const {
    ssize_t size = -1;
    do
        size = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    if (size > 0) return {Receipt::frame, std::string_view(buffer.data(), static_cast<std::size_t>(size))};
    if (size < 0 && errno == EAGAIN) return {Receipt::none_yet, {}};
    return {Receipt::end, {}};
}

frame::Configure configure_frame(const InputEnvironment& environment, const InputConfig& input,
                                 const std::filesystem::path& plugin) {
    return {plugin.string(), environment.sensor_root.string(), input.interval.count(), input.options,
            environment.trial};
}

std::optional<int> wait_for(pid_t pid, int limit_ms) {
    int status = 0;
    // By its number: glibc 2.36 declares pidfd_open() for C only.
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    pollfd ended{process.get(), POLLIN, 0};
    if (process) ::poll(&ended, 1, limit_ms);
    if (::waitpid(pid, &status, WNOHANG) == pid) return status;
    return std::nullopt;
}

}  // namespace holdfast
