#include "forward/paho_seams.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "forward/paho_surroundings.hpp"

namespace holdfast {
namespace {

constexpr int hurried_poll_ms = 5;
constexpr int crowded_sleep_ms = 10;

}  // namespace

Surroundings& surroundings() {
    static auto* const all = new Surroundings;
    return *all;
}

void note_blocked_write() {
    surroundings().write_blocked = true;
    surroundings().sender_held_up = true;
    surroundings().bell.ring();
}

bool is_tcp(int fd) {
    int protocol = 0;
    socklen_t length = sizeof protocol;
    return ::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 && protocol == IPPROTO_TCP;
}

PahoHurry::PahoHurry() {
    ++surroundings().hurries;
    surroundings().bell.ring();
}

PahoHurry::~PahoHurry() {
    --surroundings().hurries;
}

void wake_paho_sender() {
    Surroundings& all = surroundings();
    // First: the sender says that it waits before it looks at this.
    all.sender_has_work = true;
    if (!all.sender_waits) return;
    pthread_mutex_t* mutex = all.sender_mutex;
    ::pthread_mutex_lock(mutex);
    ::pthread_cond_signal(all.sender_condition);
    ::pthread_mutex_unlock(mutex);
}

namespace {

// The name that the sending thread asked for last: its next connect() is for it.
thread_local std::string asked_for;

// One address that leads nowhere: what connect() does with it is up to us. As glibc's own results, it is one
// block of memory, which freeaddrinfo frees.
addrinfo* placeholder() {
    struct Block {
        addrinfo info;
        sockaddr_in address;
    };
    auto* block = static_cast<Block*>(std::calloc(1, sizeof(Block)));
    if (block == nullptr) return nullptr;
    block->address.sin_family = AF_INET;
    block->address.sin_addr.s_addr = htonl(0xF0000001);  // 240.0.0.1, reserved (RFC 1112, 4)
    block->info.ai_family = AF_INET;
    block->info.ai_socktype = SOCK_STREAM;
    block->info.ai_protocol = IPPROTO_TCP;
    block->info.ai_addrlen = sizeof block->address;
    block->info.ai_addr = static_cast<sockaddr*>(static_cast<void*>(&block->address));
    return &block->info;
}

int resolve(const char* node, const char* service, const addrinfo* hints, addrinfo** result) {
    static auto* const real =
        next_definition<int(const char*, const char*, const addrinfo*, addrinfo**)>("getaddrinfo");
    if (this_thread() != PahoThread::sender || node == nullptr) return real(node, service, hints, result);
    if (!Dial::Seams::is_expected(node)) return EAI_NONAME;  // the attempt was ended before Paho began it
    asked_for = node;
    *result = placeholder();
    return *result ? 0 : EAI_MEMORY;
}

int connect_socket(int fd, const sockaddr* address, socklen_t length) {
    static auto* const real = next_definition<int(int, const sockaddr*, socklen_t)>("connect");
    if (this_thread() != PahoThread::sender || asked_for.empty() || address->sa_family != AF_INET)
        return real(fd, address, length);
    const auto* internet = static_cast<const sockaddr_in*>(static_cast<const void*>(address));
    const std::string host = std::exchange(asked_for, {});
    // As for any connection that is still being made: Paho's way for one that is there at once sends a
    // WebSocket's request before the TLS handshake (paho.mqtt.c #1348).
    errno = Dial::Seams::take(host, ntohs(internet->sin_port), fd) ? EINPROGRESS : ECONNREFUSED;
    surroundings().bell.ring();
    return -1;
}

thread_local int last_poll = -1;  // what poll returned since the last sleep; -1: it was not called

int poll_sockets(pollfd* items, nfds_t count, int timeout_ms) {
    static auto* const real = next_definition<int(pollfd*, nfds_t, int)>("poll");
    std::array<pollfd, 16> all{};
    if (this_thread() != PahoThread::receiver || timeout_ms == 0 || count >= all.size())
        return real(items, count, timeout_ms);
    Surroundings& around = surroundings();
    // In this order: a write that is blocked meanwhile sets both the other way round.
    const bool held_up = around.sender_held_up.exchange(false);
    const bool write_blocked = around.write_blocked;
    if (held_up && write_blocked) around.sender_held_up = true;
    if (held_up && !write_blocked) wake_paho_sender();
    std::copy_n(items, count, all.begin());
    for (nfds_t i = 0; i < count && write_blocked; ++i)
        all[i].events |= POLLOUT;
    all[count] = {around.bell.fd(), POLLIN, 0};
    if (around.hurries > 0) timeout_ms = std::min(timeout_ms, hurried_poll_ms);
    if (real(all.data(), count + 1, timeout_ms) < 0) return last_poll = -1;
    if (all[count].revents != 0) around.bell.silence();
    int ready = 0;
    for (nfds_t i = 0; i < count; ++i) {
        if ((all[i].revents & POLLOUT) != 0) around.write_blocked = false;
        items[i].revents =
            static_cast<short>(all[i].revents & (items[i].events | POLLERR | POLLHUP | POLLNVAL));
        if (items[i].revents != 0) ++ready;
    }
    return last_poll = ready;
}

// Paho's receiving thread sleeps for a tenth of a second whenever nothing was ready: with a socket to poll
// there is no need to, and without one it is to wake up when there is.
int sleep_us(useconds_t time_us) {
    static auto* const real = next_definition<int(useconds_t)>("usleep");
    if (this_thread() != PahoThread::receiver) return real(time_us);
    const int polled = std::exchange(last_poll, -1);
    if (polled == 0) return 0;
    static auto* const real_poll = next_definition<int(pollfd*, nfds_t, int)>("poll");
    const int longest = polled > 0 ? crowded_sleep_ms : static_cast<int>(time_us / 1000);
    pollfd bell{surroundings().bell.fd(), POLLIN, 0};
    if (real_poll(&bell, 1, longest) > 0) surroundings().bell.silence();
    return 0;
}

// Paho waits by the wall clock, for ever longer when that is set back (paho.mqtt.c #920), and misses a signal
// that comes before it waits.
int wait_for_work(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
    static auto* const real =
        next_definition<int(pthread_cond_t*, pthread_mutex_t*, const timespec*)>("pthread_cond_timedwait");
    if (this_thread() != PahoThread::sender) return real(condition, mutex, until);
    Surroundings& around = surroundings();
    around.sender_condition = condition;
    around.sender_mutex = mutex;
    around.sender_waits = true;
    if (around.sender_has_work.exchange(false)) {
        around.sender_waits = false;
        return ETIMEDOUT;
    }
    timespec latest{};
    ::clock_gettime(CLOCK_MONOTONIC, &latest);
    ++latest.tv_sec;
    const int result = ::pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &latest);
    around.sender_waits = false;
    around.sender_has_work = false;
    return result;
}

// Paho frees a QoS 1 or 2 message whose write fails and goes on holding it: it sends it again from freed
// memory, and frees it once more, by then somebody else's memory. So no write of Paho's fails: one into a
// dead connection counts as written just before the loss, which Paho then reads.
ssize_t write_parts(int fd, const iovec* parts, int count) {
    const ssize_t written = ::syscall(SYS_writev, fd, parts, count);
    const bool is_pahos = this_thread() != PahoThread::other;
    if (written < 0 && (errno == EINTR || !is_pahos)) return written;
    ssize_t total = 0;
    for (int i = 0; i < count; ++i)
        total += static_cast<ssize_t>(parts[i].iov_len);
    if (written == total || !is_pahos) return written;
    if (written >= 0 || errno == EAGAIN) {
        const int error = errno;
        note_blocked_write();
        errno = error;
        return written;
    }
    const int error = errno;
    if (!is_tcp(fd)) {
        errno = error;
        return -1;
    }
    ::shutdown(fd, SHUT_RDWR);
    return total;
}

int write_tls(SSL* ssl, const void* bytes, int count) {
    if (count <= 0) return 0;
    const auto size = static_cast<std::size_t>(count);
    if (this_thread() != PahoThread::other)
        return Dial::Seams::write(ssl, {static_cast<const char*>(bytes), size});
    std::size_t written = 0;
    return ::SSL_write_ex(ssl, bytes, size, &written) == 1 ? static_cast<int>(written) : -1;
}

}  // namespace
}  // namespace holdfast

// These take the place of the libraries' definitions for the whole process; on any thread but Paho's they
// only pass on. Under names of their own in C++, since the headers' declarations differ by build options.
#define HOLDFAST_SEAM(name) __asm__(name) __attribute__((visibility("default"), used))
extern "C" {
int seam_getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) HOLDFAST_SEAM("getaddrinfo");
int seam_connect(int, const sockaddr*, socklen_t) HOLDFAST_SEAM("connect");
int seam_poll(pollfd*, nfds_t, int) HOLDFAST_SEAM("poll");
int seam_usleep(useconds_t) HOLDFAST_SEAM("usleep");
int seam_timedwait(pthread_cond_t*, pthread_mutex_t*, const timespec*)
    HOLDFAST_SEAM("pthread_cond_timedwait");
ssize_t seam_writev(int, const iovec*, int) HOLDFAST_SEAM("writev");
int seam_ssl_write(SSL*, const void*, int) HOLDFAST_SEAM("SSL_write");
int seam_ssl_connect(SSL*) HOLDFAST_SEAM("SSL_connect");
int seam_ssl_read(SSL*, void*, int) HOLDFAST_SEAM("SSL_read");
ssize_t seam_recv(int, void*, std::size_t, int) HOLDFAST_SEAM("recv");

int seam_getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result) {
    return holdfast::resolve(node, service, hints, result);
}
int seam_connect(int fd, const sockaddr* address, socklen_t length) {
    return holdfast::connect_socket(fd, address, length);
}
int seam_poll(pollfd* items, nfds_t count, int timeout_ms) {
    return holdfast::poll_sockets(items, count, timeout_ms);
}
int seam_usleep(useconds_t time_us) {
    return holdfast::sleep_us(time_us);
}
int seam_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
    return holdfast::wait_for_work(condition, mutex, until);
}
ssize_t seam_writev(int fd, const iovec* parts, int count) {
    return holdfast::write_parts(fd, parts, count);
}
int seam_ssl_write(SSL* ssl, const void* bytes, int count) {
    return holdfast::write_tls(ssl, bytes, count);
}
int seam_ssl_connect(SSL* ssl) {
    return holdfast::Dial::Seams::connect(ssl);
}
int seam_ssl_read(SSL* ssl, void* buffer, int count) {
    return holdfast::Dial::Seams::read(ssl, buffer, count);
}
ssize_t seam_recv(int fd, void* buffer, std::size_t count, int flags) {
    return holdfast::Dial::Seams::receive(fd, buffer, count, flags);
}
}  // extern "C"
