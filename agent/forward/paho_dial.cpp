// A connection that Paho makes, and the calls by which Paho reaches it: the TLS handshake, what is read and
// what is written.
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "forward/paho_surroundings.hpp"

namespace holdfast {
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

namespace {

// Without a word, in TLS's sense: the server may have ended it for a reason of MQTT.
bool was_just_closed(unsigned long error) {
    return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

}  // namespace

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
    const unsigned long error = ERR_peek_error();
    if (error != 0 && !was_just_closed(error) && SSL_get_error(ssl, result) == SSL_ERROR_SSL)
        failed(*handshake);
    errno = saved_errno;
    return result;
}

// Of a connection without TLS: OpenSSL reads by read(). What an OpenSSL provider receives on Paho's thread (a
// TPM's, for one) is none of ours.
ssize_t Dial::Seams::receive(int fd, void* buffer, std::size_t count, int flags) {
    static auto* const real = next_definition<ssize_t(int, void*, std::size_t, int)>("recv");
    const ssize_t result = real(fd, buffer, count, flags);
    if (this_thread() == PahoThread::other || result <= 0 || !is_tcp(fd)) return result;
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

}  // namespace holdfast
