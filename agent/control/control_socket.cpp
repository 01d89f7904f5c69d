#include "control/control_socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace holdfast {
namespace {

constexpr std::size_t max_request_bytes = 4096;
constexpr std::size_t max_connections = 16;
constexpr auto connection_limit = std::chrono::seconds(5);

Result<sockaddr_un> socket_address(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string& text = path.native();
    if (text.size() >= sizeof address.sun_path)
        return Error{Error::Kind::config, text + ": path is too long for a socket (at most " +
                                              std::to_string(sizeof address.sun_path - 1) + " bytes)"};
    std::memcpy(address.sun_path, text.data(), text.size());
    return address;
}

const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

UniqueFd stream_socket(int flags) {
    return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
}

// Whoever asked has closed its end, and was told that there is no answer.
bool asker_is_gone(const UniqueFd& socket) {
    pollfd end{socket.get(), 0, 0};
    return ::poll(&end, 1, 0) > 0 && (end.revents & POLLHUP) != 0;
}

// Also one who is too busy to take anybody in (EAGAIN).
bool someone_listens(const sockaddr_un& address) {
    const UniqueFd probe = stream_socket(SOCK_NONBLOCK);
    return ::connect(probe.get(), generic(address), sizeof address) == 0 || errno == EAGAIN;
}

// Of connecting and sending, which would wait for ever for an agent that stands still.
void limit_waiting(const UniqueFd& socket, std::chrono::milliseconds timeout) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(timeout);
    const std::chrono::microseconds rest = timeout - seconds;
    const timeval limit{.tv_sec = static_cast<time_t>(seconds.count()),
                        .tv_usec = static_cast<suseconds_t>(rest.count())};
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

Error cannot_ask(const std::filesystem::path& path, int code) {
    const std::string& at = path.native();
    switch (code) {
        case ENOENT:
        case ECONNREFUSED:
            return {Error::Kind::gone, "no agent is running at " + at + " (is holdfast.service started?)",
                    code};
        case EACCES:
            return {Error::Kind::config, at + ": permission denied; run this as root or as the agent's user",
                    code};
        case EAGAIN:
            return {Error::Kind::retry, at + ": the agent does not answer", code};
        default:
            return system_error(Error::Kind::retry, at + ": can't ask the agent", code);
    }
}

}  // namespace

struct ControlServer::Connection {
    UniqueFd socket;
    std::string request;
    std::string answer;
    EventLoop::SourcePtr source;
    std::unique_ptr<EventLoop::Timer> limit;

    enum class Next { wait, done };
    Next send_rest() {
        const ssize_t sent = ::send(socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) return errno == EAGAIN || errno == EINTR ? Next::wait : Next::done;
        answer.erase(0, static_cast<std::size_t>(sent));
        return answer.empty() ? Next::done : Next::wait;
    }
    // Done when the other end closed, or sent no line within the bound.
    Next receive() {
        char buffer[512];
        const ssize_t length = ::recv(socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (length < 0) return errno == EAGAIN || errno == EINTR ? Next::wait : Next::done;
        request.append(buffer, static_cast<std::size_t>(length));
        return length == 0 || request.size() > max_request_bytes ? Next::done : Next::wait;
    }
};

Result<std::unique_ptr<ControlServer>> ControlServer::listen(EventLoop& loop,
                                                             const std::filesystem::path& path,
                                                             Answer answer) {
    const auto address = socket_address(path);
    if (!address) return address.error();
    if (someone_listens(*address))
        return Error{Error::Kind::retry, path.native() +
                                             ": another agent is running there; give this one its own "
                                             "--runtime-dir and --state-dir"};
    ::unlink(path.c_str());
    UniqueFd socket = stream_socket(SOCK_NONBLOCK);
    const mode_t mask = ::umask(0117);
    const int bound = ::bind(socket.get(), generic(*address), sizeof *address);
    const int code = errno;
    ::umask(mask);
    if (bound != 0)
        return system_error(Error::Kind::retry, path.native() + ": can't make the control socket", code);
    if (::listen(socket.get(), static_cast<int>(max_connections)) != 0)
        return system_error(Error::Kind::bug, path.native() + ": can't listen", errno);

    std::unique_ptr<ControlServer> server(
        new ControlServer(loop, path, std::move(socket), std::move(answer)));
    auto rest_over = loop.timer([at = server.get()] {
        if (!at->listen_on()) at->rest();
    });
    if (!rest_over) return rest_over.error();
    server->rest_over_ = std::move(*rest_over);
    if (auto listening = server->listen_on(); !listening) return listening.error();
    return server;
}

ControlServer::ControlServer(EventLoop& loop, std::filesystem::path path, UniqueFd socket, Answer answer)
    : loop_(loop), path_(std::move(path)), socket_(std::move(socket)), answer_(std::move(answer)) {}

ControlServer::~ControlServer() {
    ::unlink(path_.c_str());
}

void ControlServer::accept() {
    UniqueFd socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) return rest();
    if (!socket || connections_.size() >= max_connections) return;
    auto owned = std::make_unique<Connection>();
    Connection& connection = *owned;
    connection.socket = std::move(socket);
    auto limit = loop_.timer([this, &connection] { drop(connection); });
    auto source = loop_.watch(connection.socket.get(), EPOLLIN,
                              [this, &connection](std::uint32_t) { read(connection); });
    if (!limit || !source) return;
    connection.limit = std::move(*limit);
    connection.limit->set(std::chrono::steady_clock::now() + connection_limit);
    connection.source = std::move(*source);
    connections_.push_back(std::move(owned));
}

// Who asks stays in the queue and the socket ready: without a rest the loop would spin until descriptors are
// free again.
void ControlServer::rest() {
    source_.reset();
    rest_over_->set(std::chrono::steady_clock::now() + std::chrono::seconds(1));
}

Result<void> ControlServer::listen_on() {
    auto source = loop_.watch(socket_.get(), EPOLLIN, [this](std::uint32_t) { accept(); });
    if (!source) return source.error();
    source_ = std::move(*source);
    return {};
}

void ControlServer::read(Connection& connection) {
    if (connection.receive() == Connection::Next::done) return drop(connection);
    const std::size_t end = connection.request.find('\n');
    if (end == std::string::npos) return;
    // What nobody waits for is not done late: it may be to delete everything.
    if (asker_is_gone(connection.socket)) return drop(connection);
    ucred peer{.pid = 0, .uid = static_cast<uid_t>(-1), .gid = static_cast<gid_t>(-1)};
    socklen_t size = sizeof peer;
    (void)::getsockopt(connection.socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size);
    connection.answer = answer_(std::string_view(connection.request).substr(0, end), peer.uid);
    connection.source.reset();  // a descriptor is in an epoll set once only
    auto writable = loop_.watch(connection.socket.get(), EPOLLOUT, [this, &connection](std::uint32_t) {
        if (connection.send_rest() == Connection::Next::done) drop(connection);
    });
    if (!writable) return drop(connection);
    connection.source = std::move(*writable);
}

void ControlServer::drop(Connection& connection) {
    connections_.remove_if([&](const auto& owned) { return owned.get() == &connection; });
}

Result<std::string> ask_agent(const std::filesystem::path& path, std::string_view request,
                              std::chrono::milliseconds timeout) {
    const auto address = socket_address(path);
    if (!address) return address.error();
    const UniqueFd socket = stream_socket(0);
    limit_waiting(socket, timeout);
    if (::connect(socket.get(), generic(*address), sizeof *address) != 0) return cannot_ask(path, errno);
    const std::string line = std::string(request) + '\n';
    if (::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size()))
        return system_error(Error::Kind::retry, path.native() + ": can't ask the agent", errno);
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    std::string answer;
    char buffer[4096];
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        pollfd wait{socket.get(), POLLIN, 0};
        const int ready = left.count() > 0 ? ::poll(&wait, 1, static_cast<int>(left.count())) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return Error{Error::Kind::retry, path.native() + ": the agent does not answer"};
        const ssize_t length = ::recv(socket.get(), buffer, sizeof buffer, 0);
        if (length < 0)
            return system_error(Error::Kind::retry, path.native() + ": the agent does not answer", errno);
        if (length == 0 && answer.empty())
            return Error{Error::Kind::retry,
                         path.native() + ": the agent does not answer: too many are asking it, or it ends"};
        if (length == 0) return answer;
        answer.append(buffer, static_cast<std::size_t>(length));
    }
}

}  // namespace holdfast
