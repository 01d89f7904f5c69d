#include "forward/paho_seams.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>
#include <vector>

#include "forward/outgoing_packets.hpp"
#include "forward/tls_handshake.hpp"

namespace holdfast {
namespace {

constexpr int hurried_poll_ms = 5;
constexpr int crowded_sleep_ms = 10;

// The definition that comes after ours: the library's.
template <typename Function>
Function* next_definition(const char* name) {
    void* symbol = ::dlsym(RTLD_NEXT, name);
    if (symbol == nullptr) std::abort();  // a libc or libssl without it cannot have been linked
    return reinterpret_cast<Function*>(symbol);
}

enum class PahoThread { other, sender, receiver };

PahoThread this_thread() {
    thread_local const PahoThread which = [] {
        std::array<char, 16> name{};
        ::pthread_getname_np(::pthread_self(), name.data(), name.size());
        const std::string_view text = name.data();  // MQTTAsyncUtils.c: Thread_set_name
        if (text == "MQTTAsync_send") return PahoThread::sender;
        return text == "MQTTAsync_rcv" ? PahoThread::receiver : PahoThread::other;
    }();
    return which;
}

// Wakes Paho's receiving thread, wherever it waits.
class ReceiverBell {
  public:
    int fd() const { return fd_.get(); }
    void ring() const {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(fd_.get(), &one, sizeof one);
    }
    void silence() const {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = ::read(fd_.get(), &count, sizeof count);
    }

  private:
    UniqueFd fd_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
};

// Lives as long as the process: Paho's threads do.
struct Surroundings {
    ReceiverBell bell;
    std::atomic<int> hurries = 0;
    std::atomic<bool> write_blocked = false;  // Paho holds the rest of a message that the socket did not take
    std::atomic<bool> sender_held_up = false;  // by that

    // Paho's static condition variable and its mutex (Thread.c), once the sender has waited on it.
    std::atomic<pthread_cond_t*> sender_condition = nullptr;
    std::atomic<pthread_mutex_t*> sender_mutex = nullptr;
    std::atomic<bool> sender_has_work = false;
    std::atomic<bool> sender_waits = false;

    std::mutex mutex;  // of what follows
    std::vector<Dial*> dials;
};

Surroundings& surroundings() {
    static auto* const all = new Surroundings;
    return *all;
}

void note_blocked_write() {
    surroundings().write_blocked = true;
    surroundings().sender_held_up = true;
    surroundings().bell.ring();
}

}  // namespace

// What the seams need of a dial; the SSL object holds on to it, so that it outlives the Dial itself.
struct Handshake {
    std::string host;
    TlsConfig tls;
    TlsWitness witness;
    std::mutex mutex;      // of what follows
    Dial* dial = nullptr;  // null: it is gone
    OutgoingPackets outgoing;
};

struct Dial::Seams {
    static bool fits(const Dial& dial, std::string_view host, std::uint16_t port) {
        return dial.stage_ == Stage::given && dial.server_.host == host && dial.server_.port == port;
    }
    // Gives the socket to Paho under the descriptor that Paho made for it.
    static bool take(std::string_view host, std::uint16_t port, int fd) {
        const std::lock_guard lock(surroundings().mutex);
        for (Dial* dial : surroundings().dials) {
            if (!fits(*dial, host, port)) continue;
            if (::dup3(dial->socket_.get(), fd, O_CLOEXEC) < 0) return false;
            dial->taken_as_ = fd;
            dial->stage_ = Stage::taken;
            return true;
        }
        return false;
    }
    static bool is_expected(std::string_view host) {
        const std::lock_guard lock(surroundings().mutex);
        return std::any_of(surroundings().dials.begin(), surroundings().dials.end(),
                           [&](const Dial* dial) { return fits(*dial, host, dial->server_.port); });
    }
    // At the first call for this SSL object.
    static Handshake* begin_handshake(SSL* ssl);
    static void failed(Handshake& handshake) {
        LinkFailure failure = handshake_failure(handshake.tls, handshake.host, handshake.witness);
        const std::lock_guard lock(handshake.mutex);
        if (handshake.dial == nullptr) return;
        const std::lock_guard dial_lock(handshake.dial->mutex_);
        if (!handshake.dial->tls_failure_) handshake.dial->tls_failure_ = std::move(failure);
    }
    static void secured(Handshake& handshake, SSL* ssl) {
        TlsSession session = describe_session(ssl);
        const std::lock_guard lock(handshake.mutex);
        if (handshake.dial == nullptr) return;
        const std::lock_guard dial_lock(handshake.dial->mutex_);
        handshake.dial->tls_session_ = std::move(session);
        handshake.dial->stage_ = Stage::secured;
    }
    static int connect(SSL* ssl);
    static int read(SSL* ssl, void* buffer, int count);
    static ssize_t receive(int fd, void* buffer, std::size_t count, int flags);
    // False: Paho must not see these bytes.
    static bool passes(Dial& dial, const void* bytes, std::size_t count) {
        const std::lock_guard lock(dial.mutex_);
        return !dial.check_ || dial.check_->take({static_cast<const char*>(bytes), count});
    }
    static int write(SSL* ssl, std::string_view packet);
};

namespace {

using SharedHandshake = std::shared_ptr<Handshake>;

int handshake_index() {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr,
                                                  [](void*, void* held, CRYPTO_EX_DATA*, int, long, void*) {
                                                      delete static_cast<SharedHandshake*>(held);
                                                  });
    return index;
}

Handshake* handshake_of(const SSL* ssl) {
    const auto* held = static_cast<SharedHandshake*>(SSL_get_ex_data(ssl, handshake_index()));
    return held ? held->get() : nullptr;
}

}  // namespace

Dial::Dial(const Server& server, UniqueFd socket, std::optional<TlsConfig> tls, Protocol protocol)
    : server_(server), socket_(std::move(socket)) {
    if (server.scheme == Scheme::mqtt || server.scheme == Scheme::mqtts) check_.emplace(protocol);
    if (tls) {
        handshake_ = std::make_shared<Handshake>();
        handshake_->host = server.host;
        handshake_->tls = std::move(*tls);
        handshake_->dial = this;
    }
    const std::lock_guard lock(surroundings().mutex);
    surroundings().dials.push_back(this);
}

Dial::~Dial() {
    {
        const std::lock_guard lock(surroundings().mutex);
        std::erase(surroundings().dials, this);
    }
    if (!handshake_) return;
    const std::lock_guard lock(handshake_->mutex);
    handshake_->dial = nullptr;
}

void Dial::cut() const {
    ::shutdown(socket_.get(), SHUT_RDWR);
}

std::optional<std::chrono::milliseconds> Dial::silence() const {
    tcp_info info{};
    socklen_t length = sizeof info;
    if (::getsockopt(socket_.get(), IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return std::nullopt;
    return std::chrono::milliseconds(info.tcpi_last_data_recv);
}

std::optional<LinkFailure> Dial::tls_failure() const {
    const std::lock_guard lock(mutex_);
    return tls_failure_;
}

std::optional<LinkFailure> Dial::broken_rule() const {
    const std::lock_guard lock(mutex_);
    if (!check_ || check_->fault().empty()) return std::nullopt;
    return LinkFailure{.text = "the broker broke the rules of MQTT: it sent " + check_->fault()};
}

std::optional<TlsSession> Dial::tls_session() const {
    const std::lock_guard lock(mutex_);
    return tls_session_;
}

void Dial::use_aliases(std::uint16_t maximum, std::uint32_t packet_limit) const {
    if (!handshake_ || maximum == 0) return;
    const std::lock_guard lock(handshake_->mutex);
    handshake_->outgoing.use_aliases(maximum, packet_limit);
}

Handshake* Dial::Seams::begin_handshake(SSL* ssl) {
    if (Handshake* known = handshake_of(ssl)) return known;
    const int fd = SSL_get_fd(ssl);
    SharedHandshake handshake;
    {
        const std::lock_guard lock(surroundings().mutex);
        for (Dial* dial : surroundings().dials) {
            if (dial->stage_ != Stage::taken || dial->taken_as_ != fd) continue;
            dial->stage_ = Stage::shaking_hands;
            handshake = dial->handshake_;
            break;
        }
    }
    if (!handshake) return nullptr;
    SSL_set_ex_data(ssl, handshake_index(), new SharedHandshake(handshake));
    if (!prepare_handshake(ssl, handshake->tls, handshake->host, handshake->witness))
        // Nothing may be sent on a connection that cannot be verified.
        ::shutdown(fd, SHUT_RDWR);
    return handshake.get();
}

int Dial::Seams::connect(SSL* ssl) {
    static auto* const real = next_definition<int(SSL*)>("SSL_connect");
    Handshake* handshake = this_thread() == PahoThread::other ? nullptr : begin_handshake(ssl);
    // Paho's own settings do not do: what was not prepared is not to be connected.
    if (!handshake && this_thread() != PahoThread::other) ::shutdown(SSL_get_fd(ssl), SHUT_RDWR);
    const int result = real(ssl);
    if (!handshake) return result;
    if (result == 1) {
        secured(*handshake, ssl);
        return result;
    }
    const int saved_errno = errno;
    const int error = SSL_get_error(ssl, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        errno = saved_errno;
        failed(*handshake);
    }
    errno = saved_errno;
    return result;
}

// A server that speaks TLS 1.3 judges our certificate when the handshake is over for us.
int Dial::Seams::read(SSL* ssl, void* buffer, int count) {
    static auto* const real = next_definition<int(SSL*, void*, int)>("SSL_read");
    const int result = real(ssl, buffer, count);
    Handshake* handshake = this_thread() == PahoThread::other ? nullptr : handshake_of(ssl);
    if (!handshake) return result;
    if (result > 0) {
        const std::lock_guard lock(handshake->mutex);
        if (handshake->dial && passes(*handshake->dial, buffer, static_cast<std::size_t>(result)))
            return result;
        ::shutdown(SSL_get_fd(ssl), SHUT_RDWR);
        return 0;  // for Paho the server has closed
    }
    const int saved_errno = errno;
    if (ERR_peek_error() != 0 && SSL_get_error(ssl, result) == SSL_ERROR_SSL) failed(*handshake);
    errno = saved_errno;
    return result;
}

// Of a connection without TLS: OpenSSL reads by read().
ssize_t Dial::Seams::receive(int fd, void* buffer, std::size_t count, int flags) {
    static auto* const real = next_definition<ssize_t(int, void*, std::size_t, int)>("recv");
    const ssize_t result = real(fd, buffer, count, flags);
    if (this_thread() == PahoThread::other || result <= 0) return result;
    const std::lock_guard lock(surroundings().mutex);
    auto& dials = surroundings().dials;
    // The newest: a descriptor is used again as soon as it is closed.
    const auto dial =
        std::find_if(dials.rbegin(), dials.rend(), [&](const Dial* d) { return d->taken_as_ == fd; });
    if (dial != dials.rend() && passes(**dial, buffer, static_cast<std::size_t>(result))) return result;
    ::shutdown(fd, SHUT_RDWR);
    return 0;
}

namespace {

enum class Written { all, not_yet, never };

Written write_bytes(SSL* ssl, std::string_view bytes) {
    std::size_t written = 0;
    const int result = ::SSL_write_ex(ssl, bytes.data(), bytes.size(), &written);
    if (result == 1) return Written::all;  // there are no partial writes: Paho does not turn them on
    if (::SSL_get_error(ssl, result) == SSL_ERROR_WANT_WRITE) {
        note_blocked_write();
        return Written::not_yet;
    }
    ::ERR_clear_error();
    ::shutdown(::SSL_get_fd(ssl), SHUT_RDWR);
    return Written::never;
}

bool has_bytes_to_send(int fd) {
    int waiting = 0;
    return ::ioctl(fd, SIOCOUTQ, &waiting) == 0 && waiting > 0;
}

}  // namespace

// No write of Paho's fails, as in write_parts(). Paho hands over one packet at a time, and the same again
// when it could not be written.
int Dial::Seams::write(SSL* ssl, std::string_view packet) {
    const int all = static_cast<int>(packet.size());
    Handshake* handshake = handshake_of(ssl);
    if (!handshake) return write_bytes(ssl, packet) == Written::not_yet ? -1 : all;
    const std::lock_guard lock(handshake->mutex);
    OutgoingPackets& outgoing = handshake->outgoing;
    if (outgoing.repeats(packet) && has_bytes_to_send(::SSL_get_fd(ssl))) return all;
    if (write_bytes(ssl, outgoing.next(packet)) == Written::not_yet) {
        outgoing.blocked();
        return -1;
    }
    outgoing.written(packet);
    return all;
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

bool is_tcp(int fd) {
    int protocol = 0;
    socklen_t length = sizeof protocol;
    return ::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 && protocol == IPPROTO_TCP;
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
