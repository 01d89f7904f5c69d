#include "broker/scripted_broker.hpp"

#include <fcntl.h>
#include <linux/sockios.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "support/loopback.hpp"

namespace holdfast::test {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto handshake_limit = 30s;

std::string tls_error() {
    std::array<char, 256> text{};
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return "closed";
    ERR_error_string_n(code, text.data(), text.size());
    return text.data();
}

}  // namespace

ScriptedBroker::ScriptedBroker(Script script, Options options)
    : script_(std::move(script)), options_(std::move(options)), listener_(bind_loopback(options_.port)) {
    if (options_.tls) {
        context_.reset(SSL_CTX_new(TLS_server_method()));
        SSL_CTX_use_certificate_chain_file(context_.get(), options_.tls->certificate.c_str());
        SSL_CTX_use_PrivateKey_file(context_.get(), options_.tls->key.c_str(), SSL_FILETYPE_PEM);
    }
    if (options_.receive_buffer > 0)
        ::setsockopt(listener_.get(), SOL_SOCKET, SO_RCVBUF, &options_.receive_buffer, sizeof(int));
    ::listen(listener_.get(), 64);
    port_ = port_of(listener_.get());
    thread_ = std::thread([this] { accept_all(); });
}

ScriptedBroker::~ScriptedBroker() {
    stopping_ = true;
    thread_.join();
}

void ScriptedBroker::accept_all() {
    int number = 0;
    while (!stopping_) {
        for (auto it = served_.begin(); it != served_.end();) {
            const auto here = it++;
            if (!here->over) continue;
            here->thread.join();
            served_.erase(here);
        }
        pollfd item{listener_.get(), POLLIN, 0};
        if (::poll(&item, 1, 20) <= 0) continue;
        UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) continue;
        note({Clock::now(), number, BrokerEvent::Kind::accepted});
        Served& served = served_.emplace_back();
        served.thread = std::thread([this, &served, raw = fd.release(), number] {
            serve(UniqueFd(raw), number);
            served.over = true;
        });
        ++number;
    }
    for (Served& served : served_)
        served.thread.join();
}

void ScriptedBroker::serve(UniqueFd fd, int number) {
    Connection connection(*this, std::move(fd), number);
    if (!options_.greet || (connection.handshake() && connection.greet())) script_(connection);
    if (connection.ssl_ && !connection.over_) SSL_shutdown(connection.ssl_.get());
    ERR_clear_error();
    const std::lock_guard lock(mutex_);
    rules_.closed(number);
    log_.push_back({Clock::now(), number, BrokerEvent::Kind::closed});
    changed_.notify_all();
}

void ScriptedBroker::note(BrokerEvent event) {
    const std::lock_guard lock(mutex_);
    log_.push_back(std::move(event));
    changed_.notify_all();
}

void ScriptedBroker::note_received(Connection& connection, const Packet& packet, std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    rules_.received(connection.tcp_number_, packet, bytes.size(), connection.version_, now);
    if (!options_.keep_events) return changed_.notify_all();
    Packet kept = packet;
    kept.payload.resize(std::min(kept.payload.size(), options_.payload_bytes_kept));
    log_.push_back({now, connection.tcp_number_, BrokerEvent::Kind::received, std::move(kept), "",
                    std::string(options_.keep_bytes ? bytes : "")});
    changed_.notify_all();
}

void ScriptedBroker::note_sent(Connection& connection, const Packet& packet) {
    const std::lock_guard lock(mutex_);
    rules_.sent(connection.tcp_number_, packet);
    if (!options_.keep_events) return;
    log_.push_back({Clock::now(), connection.tcp_number_, BrokerEvent::Kind::sent, packet});
    changed_.notify_all();
}

void ScriptedBroker::note_defect(Connection& connection, const Defect& defect) {
    const std::lock_guard lock(mutex_);
    rules_.defect(connection.tcp_number_, defect);
    log_.push_back({Clock::now(), connection.tcp_number_, BrokerEvent::Kind::malformed, std::nullopt,
                    defect.statement + ": " + defect.text});
    changed_.notify_all();
}

std::vector<BrokerEvent> ScriptedBroker::log() const {
    const std::lock_guard lock(mutex_);
    return log_;
}

std::vector<Packet> ScriptedBroker::received(PacketType type) const {
    const std::lock_guard lock(mutex_);
    std::vector<Packet> packets;
    for (const BrokerEvent& event : log_)
        if (event.kind == BrokerEvent::Kind::received && event.packet->type == type)
            packets.push_back(*event.packet);
    return packets;
}

bool ScriptedBroker::wait(const std::function<bool(const std::vector<BrokerEvent>&)>& holds,
                          std::chrono::seconds limit) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return holds(log_); });
}

bool ScriptedBroker::wait_connects(int count, std::chrono::seconds limit) const {
    return wait([&](const auto&) { return connects_ >= count; }, limit);
}

std::string ScriptedBroker::violations() const {
    const std::lock_guard lock(mutex_);
    return rules_.report();
}

std::vector<Violation> ScriptedBroker::violation_list() const {
    const std::lock_guard lock(mutex_);
    return rules_.violations();
}

bool ScriptedBroker::Connection::wait_for(short events, Clock::time_point deadline) const {
    while (!broker_.stopping_ && Clock::now() < deadline) {
        pollfd item{fd_.get(), events, 0};
        if (::poll(&item, 1, 20) > 0) return true;
    }
    return false;
}

bool ScriptedBroker::Connection::handshake() {
    if (!broker_.context_) return true;
    ssl_.reset(SSL_new(broker_.context_.get()));
    SSL_set_fd(ssl_.get(), fd_.get());
    const auto deadline = Clock::now() + handshake_limit;
    for (int done = SSL_accept(ssl_.get()); done != 1; done = SSL_accept(ssl_.get())) {
        const int why = SSL_get_error(ssl_.get(), done);
        const bool goes_on = (why == SSL_ERROR_WANT_READ && wait_for(POLLIN, deadline)) ||
                             (why == SSL_ERROR_WANT_WRITE && wait_for(POLLOUT, deadline));
        if (goes_on) continue;
        over_ = true;
        broker_.note(
            {Clock::now(), tcp_number_, BrokerEvent::Kind::handshake_failed, std::nullopt, tls_error()});
        return false;
    }
    broker_.note({Clock::now(), tcp_number_, BrokerEvent::Kind::handshake});
    return true;
}

// False: the client closed without a CONNECT, as one does that only looks.
bool ScriptedBroker::Connection::greet() {
    const auto first = read();
    if (!first || first->type != PacketType::connect) return false;
    connect_ = *first;
    return true;
}

bool ScriptedBroker::Connection::fill(Clock::time_point deadline) {
    std::array<char, 16'384> part{};
    while (!over_) {
        ssize_t got = 0;
        bool again = false;
        if (ssl_) {
            got = SSL_read(ssl_.get(), part.data(), static_cast<int>(part.size()));
            again = got <= 0 && SSL_get_error(ssl_.get(), static_cast<int>(got)) == SSL_ERROR_WANT_READ;
        } else {
            got = ::read(fd_.get(), part.data(), part.size());
            again = got < 0 && errno == EAGAIN;
        }
        if (got > 0) {
            buffer_.append(part.data(), static_cast<std::size_t>(got));
            return true;
        }
        if (!again)
            over_ = true;
        else if (!wait_for(POLLIN, deadline))
            return false;
    }
    return false;
}

std::optional<Packet> ScriptedBroker::Connection::read(Limit limit) {
    const auto deadline = Clock::now() + limit;
    while (true) {
        const auto length = packet_length(buffer_);
        const auto* defect = std::get_if<Defect>(&length);
        if (defect != nullptr) {
            broker_.note_defect(*this, *defect);
            return std::nullopt;
        }
        const auto size = std::get<std::optional<std::size_t>>(length);
        if (!size || buffer_.size() < *size) {
            if (!fill(deadline)) return std::nullopt;
            continue;
        }
        const std::string bytes = buffer_.substr(0, *size);
        buffer_.erase(0, *size);
        if (number_ < 0) version_ = version_of_connect(bytes).value_or(version_);
        auto decoded = decode_packet(bytes, version_);
        if (auto* broken = std::get_if<Defect>(&decoded)) {
            broker_.note_defect(*this, *broken);
            return std::nullopt;
        }
        Packet packet = std::get<Packet>(std::move(decoded));
        if (number_ < 0 && packet.type == PacketType::connect) number_ = broker_.connects_++;
        broker_.note_received(*this, packet, bytes);
        return packet;
    }
}

std::optional<Packet> ScriptedBroker::Connection::read(PacketType type, Limit limit) {
    const auto deadline = Clock::now() + limit;
    while (true) {
        const auto left = std::chrono::ceil<Limit>(deadline - Clock::now());
        auto packet = read(std::max(left, Limit::zero()));
        if (!packet || packet->type == type) return packet;
        if (packet->type == PacketType::pingreq) answer(*packet);
    }
}

void ScriptedBroker::Connection::send(const Packet& packet) {
    send_as(packet, encode_packet(packet, version_));
}

void ScriptedBroker::Connection::send_as(const Packet& meaning, std::string_view bytes) {
    broker_.note_sent(*this, meaning);
    send_raw(bytes);
}

void ScriptedBroker::Connection::send_raw(std::string_view bytes) {
    const auto deadline = Clock::now() + patience;
    while (!bytes.empty() && !over_) {
        ssize_t written = 0;
        bool again = false;
        if (ssl_) {
            written = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
            again =
                written <= 0 && SSL_get_error(ssl_.get(), static_cast<int>(written)) == SSL_ERROR_WANT_WRITE;
        } else {
            written = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            again = written < 0 && errno == EAGAIN;
        }
        if (written > 0)
            bytes.remove_prefix(static_cast<std::size_t>(written));
        else if (!again || !wait_for(POLLOUT, deadline))
            return;
    }
}

void ScriptedBroker::Connection::send_connack(std::uint8_t reason, bool session_present,
                                              Properties properties) {
    send({.type = PacketType::connack,
          .reason = reason,
          .session_present = session_present,
          .properties = std::move(properties)});
}

void ScriptedBroker::Connection::acknowledge(const Packet& publish, std::uint8_t reason) {
    if (publish.qos == 0) return;
    const PacketType type = publish.qos == 1 ? PacketType::puback : PacketType::pubrec;
    send({.type = type, .id = publish.id, .reason = reason});
}

void ScriptedBroker::Connection::answer(const Packet& packet) {
    switch (packet.type) {
        case PacketType::publish:
            return acknowledge(packet);
        case PacketType::pubrel:
            return send({.type = PacketType::pubcomp, .id = packet.id});
        case PacketType::pingreq:
            return send({.type = PacketType::pingresp});
        case PacketType::subscribe: {
            Packet granted{.type = PacketType::suback, .id = packet.id};
            for (const auto& [filter, options] : packet.filters)
                granted.codes.push_back(options & 3);
            return send(granted);
        }
        default:
            return;
    }
}

void ScriptedBroker::Connection::serve() {
    while (const auto packet = read())
        answer(*packet);
}

void ScriptedBroker::Connection::read_to_end() {
    while (read()) {
    }
}

std::size_t ScriptedBroker::Connection::wait_until_full() const {
    constexpr int still_looks = 20;
    int waiting = 0;
    const auto deadline = Clock::now() + patience;
    for (int before = 0, still = 0; still < still_looks && Clock::now() < deadline; before = waiting) {
        std::this_thread::sleep_for(20ms);
        ::ioctl(fd_.get(), SIOCINQ, &waiting);
        still = waiting > 0 && waiting == before ? still + 1 : 0;
    }
    return static_cast<std::size_t>(waiting);
}

void ScriptedBroker::Connection::reset() {
    const linger at_once{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    over_ = true;
}

}  // namespace holdfast::test
