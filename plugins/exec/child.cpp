#include "child.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>

#include <holdfast/plugin.hpp>

namespace exec_input {

namespace plugin = holdfast::plugin;

namespace {

struct Pipe {
    Fd read;
    Fd write;
};

Pipe make_pipe(int flags_of_read_end) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) plugin::fail(errno, "cannot make a pipe");
    Pipe pipe{Fd(ends[0]), Fd(ends[1])};
    if (flags_of_read_end != 0) ::fcntl(ends[0], F_SETFL, flags_of_read_end);
    return pipe;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    result.reserve(strings.size() + 1);
    for (std::string& string : strings)
        result.push_back(string.data());
    result.push_back(nullptr);
    return result;
}

std::vector<std::string> merged_environment(const Command& command) {
    std::vector<std::string> merged;
    for (const auto& [name, value] : command.environment)
        merged.emplace_back(name).append("=").append(value);
    const auto replaced = [&](std::string_view entry) {
        return std::any_of(command.environment.begin(), command.environment.end(), [entry](const auto& own) {
            return entry.substr(0, entry.find('=')) == own.first;
        });
    };
    for (char** entry = environ; *entry != nullptr; ++entry)
        if (!replaced(*entry)) merged.emplace_back(*entry);
    return merged;
}

// All that the new process needs, made before the fork: after it only async-signal-safe functions are called.
struct Birth {
    pid_t parent;
    char** arguments;
    char** environment;
    int input;
    int output;
    int messages;
    int failure;  // takes the errno of what went wrong; closed by exec when nothing did
};

void reset_signals() {
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal)
        ::sigaction(signal, &standard, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The memory limit of a plugin host is for the plugin; what it starts may need more.
void lift_memory_limit() {
    rlimit data{};
    ::getrlimit(RLIMIT_DATA, &data);
    data.rlim_cur = data.rlim_max;
    ::setrlimit(RLIMIT_DATA, &data);
}

[[noreturn]] void become_command(const Birth& birth) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != birth.parent) ::_exit(127);  // it ended before the line above
    reset_signals();
    lift_memory_limit();
    ::dup2(birth.input, STDIN_FILENO);
    ::dup2(birth.output, STDOUT_FILENO);
    ::dup2(birth.messages, STDERR_FILENO);
    ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    environ = birth.environment;
    ::execvp(birth.arguments[0], birth.arguments);
    const int code = errno;
    [[maybe_unused]] const ssize_t written = ::write(birth.failure, &code, sizeof code);
    ::_exit(127);
}

// By number: glibc 2.36 declares pidfd_open(2) without C linkage, so C++ cannot link it.
int open_pidfd(pid_t pid) {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

// 0 when the command was executed.
int wait_for_exec(Pipe& failure) {
    failure.write = Fd();
    int code = 0;
    ssize_t got = 0;
    do
        got = ::read(failure.read.get(), &code, sizeof code);
    while (got < 0 && errno == EINTR);
    return got == sizeof code ? code : 0;
}

int wait_for(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

// For starting a command, -EAGAIN is an error like others; to the agent it would mean "no value now".
[[noreturn]] void cannot_start(int code, const std::string& program) {
    plugin::fail(code == EAGAIN ? EBUSY : code, "cannot start '" + program + "'");
}

}  // namespace

Child::Child(const Command& command) {
    std::vector<std::string> arguments = command.arguments;
    std::vector<std::string> environment = merged_environment(command);
    const std::vector<char*> argv = pointers(arguments);
    const std::vector<char*> envp = pointers(environment);
    const Fd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    Pipe output = make_pipe(O_NONBLOCK);
    Pipe messages = make_pipe(O_NONBLOCK);
    Pipe failure = make_pipe(0);
    const Birth birth{::getpid(),
                      const_cast<char**>(argv.data()),
                      const_cast<char**>(envp.data()),
                      input.get(),
                      output.write.get(),
                      messages.write.get(),
                      failure.write.get()};
    const std::string& program = command.arguments.front();
    const pid_t pid = ::fork();
    if (pid < 0) cannot_start(errno, program);
    if (pid == 0) become_command(birth);
    const int exec_error = wait_for_exec(failure);
    end_ = Fd(exec_error == 0 ? open_pidfd(pid) : -1);
    if (end_.get() < 0) {
        const int code = exec_error == 0 ? errno : exec_error;
        ::kill(-pid, SIGKILL);
        wait_for(pid);
        cannot_start(code, program);
    }
    pid_ = pid;
    output_ = std::move(output.read);
    messages_ = std::move(messages.read);
}

Child::~Child() {
    if (pid_ < 0) return;
    kill_group();
    reap();
}

void Child::kill_group() const {
    ::kill(-pid_, SIGKILL);
}

int Child::reap() {
    // As long as the leader is not reaped, its number belongs to this group and to nobody else.
    kill_group();
    const int status = wait_for(pid_);
    // Where this process is a subreaper, the rest of the group are its children now, and so are others that
    // the command left behind: the former were killed and end at once, the latter when they like, to be
    // reaped the next time.
    while (::waitpid(-pid_, nullptr, 0) > 0) {
    }
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    pid_ = -1;
    return status;
}

}  // namespace exec_input
