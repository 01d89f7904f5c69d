#include "forward/paho_transport.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/mailbox.hpp"
#include "forward/paho_link.hpp"
#include "forward/reach.hpp"
#include "forward/resolver.hpp"
#include "forward/tcp_connect.hpp"
#include "forward/tls_policy.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

constexpr auto cut_wait = 1s;       // for Paho to notice that its socket was taken away
constexpr auto farewell_wait = 2s;  // for DISCONNECT to be written
constexpr auto destructor_wait = 2s;

// A live broker answers PINGREQ, which goes out after `keep_alive` without a word; so much longer it may
// take.
std::chrono::seconds longest_silence(std::chrono::seconds keep_alive) {
    // Paho looks once a second whether it is time for one.
    return keep_alive + std::max<std::chrono::seconds>(3s, keep_alive / 2);
}

namespace command {
struct Connect {
    std::uint64_t attempt = 0;
    ConnectRequest request;
};
struct Subscribe {
    std::vector<std::string> filters;
    int qos = 0;
};
struct Disconnect {};
struct Drop {};
struct Unreachable {
    std::uint64_t attempt = 0;
    PahoLink::Stage stage = PahoLink::Stage::network;
    std::optional<LinkFailure> tls;
};
struct Watch {};  // a connection was made
struct Probe {
    Server server;
    std::chrono::milliseconds timeout;
};
struct Stop {};
using Any = std::variant<Connect, Subscribe, Disconnect, Drop, Unreachable, Watch, Probe, Stop>;
}  // namespace command

// What reaches the sink and what does not. Thread-safe.
class Gate {
  public:
    Gate(Transport::Sink sink, Log& log) : sink_(std::move(sink)), log_(log) {}

    // Begins attempt `n`; what concerns an older one stays outside from here on. 0: none is wanted.
    void expect(std::uint64_t attempt) {
        const std::lock_guard lock(mutex_);
        wanted_ = attempt;
        up_ = false;
    }
    bool expects(std::uint64_t attempt) const {
        const std::lock_guard lock(mutex_);
        return attempt == wanted_;
    }
    bool is_up() const { return up_; }

    void connected(std::uint64_t attempt, transport::Connected event) {
        const std::lock_guard lock(mutex_);
        if (closed_ || attempt != wanted_ || attempt == expired_) return;
        up_ = true;
        sink_(std::move(event));
    }
    // The attempt's time is over: it can no more come to a connection. False: it has, or is not wanted.
    bool expire(std::uint64_t attempt) {
        const std::lock_guard lock(mutex_);
        if (attempt != wanted_ || up_) return false;
        expired_ = attempt;
        return true;
    }
    // The end of an attempt or connection, told once.
    template <typename Event>
    void ended(std::uint64_t attempt, Event event) {
        const std::lock_guard lock(mutex_);
        if (closed_ || attempt == 0 || attempt != wanted_) return;
        wanted_ = 0;
        up_ = false;
        sink_(std::move(event));
    }
    void tell(transport::Event event) {
        const std::lock_guard lock(mutex_);
        if (!closed_) sink_(std::move(event));
    }
    void warn(std::string_view text) {
        const std::lock_guard lock(mutex_);
        if (!closed_) log_.warning(text);
    }
    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        up_ = false;
    }

  private:
    mutable std::mutex mutex_;
    Transport::Sink sink_;
    Log& log_;
    std::uint64_t wanted_ = 0;
    std::uint64_t expired_ = 0;
    bool closed_ = false;
    std::atomic<bool> up_ = false;
};

// The part that may outlive the transport, when Paho does not return: shared by it and the worker thread.
class Worker final : public PahoLink::Events {
  public:
    Worker(Transport::Sink sink, Log& log) : gate(std::move(sink), log) {}

    void run();
    // Called by the forwarder thread, and only while the gate is up.
    bool publish(DeliveryToken token, Message message) {
        const std::lock_guard lock(link_mutex_);
        return gate.is_up() && link_ && link_->publish(token, std::move(message));
    }
    bool finished_within(std::chrono::milliseconds longest) {
        std::unique_lock lock(finished_mutex_);
        return finished_changed_.wait_for(lock, longest, [this] { return finished_; });
    }

    Gate gate;
    Mailbox<command::Any> commands;

  private:
    void on(command::Connect& connect);
    void on(command::Subscribe& subscribe);
    void on(command::Disconnect&);
    void on(command::Drop&) { release(); }
    void on(command::Unreachable& unreachable);
    void on(command::Watch&);
    void on(command::Probe& probe);
    void on(command::Stop&) { stopping_ = true; }

    void timed_out();
    void look_for_silence();
    tl::expected<UniqueFd, LinkFailure> reach(const command::Connect& connect, MonoTime deadline);
    Result<void> open(const command::Connect& connect, UniqueFd socket);
    void release();
    void abandon();
    void fail(std::uint64_t attempt, LinkFailure failure);
    LinkFailure closed_without_connack();

    void connected(std::uint64_t attempt, transport::Connected event) override;
    void refused(std::uint64_t attempt, LinkFailure failure) override;
    void unreachable(std::uint64_t attempt, PahoLink::Stage stage, std::optional<LinkFailure> tls) override;
    void lost(std::uint64_t attempt, LinkFailure failure) override;
    void answered(transport::Event event) override { gate.tell(std::move(event)); }

    // The worker thread's own.
    std::unique_ptr<PahoLink> link_;
    std::mutex link_mutex_;  // publish() uses the link while this thread may put it away
    Resolver resolver_;
    command::Connect current_;
    std::optional<MonoTime> deadline_;      // of the attempt that is under way
    std::optional<MonoTime> listen_again_;  // whether the server is still there; while connected
    Server closed_at_v5_;                   // closed the connection at our CONNECT of MQTT 5
    bool stopping_ = false;

    std::mutex finished_mutex_;
    std::condition_variable finished_changed_;
    bool finished_ = false;
};

void Worker::run() {
    std::vector<command::Any> taken;
    while (!stopping_) {
        commands.take(taken, deadline_ ? deadline_ : listen_again_);
        for (command::Any& command : taken)
            std::visit([this](auto& c) { on(c); }, command);
        const MonoTime now = std::chrono::steady_clock::now();
        if (deadline_ && now >= *deadline_) timed_out();
        if (listen_again_ && now >= *listen_again_) look_for_silence();
    }
    release();
    link_.reset();
    const std::lock_guard lock(finished_mutex_);
    finished_ = true;
    finished_changed_.notify_all();
}

void Worker::on(command::Connect& connect) {
    release();
    if (!gate.expects(connect.attempt)) return;  // dropped, or overtaken by a newer one
    const MonoTime deadline = std::chrono::steady_clock::now() + connect.request.timeout;
    auto socket = reach(connect, deadline);
    if (!socket) return fail(connect.attempt, std::move(socket.error()));
    current_ = std::move(connect);
    deadline_ = deadline;
    const auto opened = open(current_, std::move(*socket));
    if (opened) return;
    // A client object that is not in the state we think it is in is not to be trusted with another attempt.
    if (opened.error().kind == Error::Kind::bug) abandon();
    fail(current_.attempt, {LinkFailure::Class::passing, 0, opened.error().text});
}

void Worker::on(command::Probe& probe) {
    const MonoTime deadline = std::chrono::steady_clock::now() + probe.timeout;
    const auto socket = reach_server(resolver_, probe.server, current_.request.proxy, deadline,
                                     [this] { return gate.is_up(); });
    gate.tell(transport::Probed{socket.has_value()});
}

// Everything before Paho is asked: the name is resolved and the connection made here, with a deadline, since
// Paho would wait for a name server with its lock in its hand, and try one address.
tl::expected<UniqueFd, LinkFailure> Worker::reach(const command::Connect& connect, MonoTime deadline) {
    const ConnectRequest& request = connect.request;
    // Files that were checked when they were copied need no second look.
    if (uses_tls(request.server.scheme) && !request.files)
        if (auto failure = check_tls_files(request.tls)) return tl::unexpected(std::move(*failure));
    auto socket = reach_server(resolver_, request.server, request.proxy, deadline,
                               [&] { return gate.expects(connect.attempt); });
    if (socket) tune_tcp(socket->get(), longest_silence(request.keep_alive));
    return socket;
}

Result<void> Worker::open(const command::Connect& connect, UniqueFd socket) {
    if (link_ && !link_->fits(connect.request)) abandon();
    if (!link_) {
        auto made = PahoLink::make(connect.request, *this);
        if (!made) return made.error();
        const std::lock_guard lock(link_mutex_);
        link_ = std::move(*made);
    }
    return link_->connect(connect.attempt, connect.request, std::move(socket));
}

void Worker::on(command::Watch&) {
    if (!gate.is_up()) return;
    deadline_.reset();
    listen_again_ = std::chrono::steady_clock::now();
}

// A server that does not answer PINGREQ: Paho would notice after two and a half times the keep alive time.
void Worker::look_for_silence() {
    listen_again_.reset();
    if (!link_ || !gate.is_up()) return;
    const auto silence = link_->silence().value_or(0ms);
    const std::chrono::milliseconds longest = longest_silence(current_.request.keep_alive);
    if (silence < longest) {
        listen_again_ =
            std::chrono::steady_clock::now() + std::max<std::chrono::milliseconds>(longest - silence, 100ms);
        return;
    }
    gate.ended(current_.attempt,
               transport::ConnectionLost{
                   {LinkFailure::Class::passing, 0,
                    "nothing heard from the broker for " + std::to_string(silence.count() / 1000) + " s"}});
    release();
}

void Worker::on(command::Subscribe& subscribe) {
    const auto taken = link_ ? link_->subscribe(subscribe.filters, subscribe.qos)
                             : Result<void>(Error{Error::Kind::gone, "not connected"});
    if (!taken) gate.tell(transport::Subscribed{taken.error().text});
}

void Worker::on(command::Disconnect&) {
    if (link_) link_->disconnect(farewell_wait);
    release();
    gate.tell(transport::Disconnected{});
}

// Ends whatever the link is doing. The link stays for the next connection, with the messages that are not
// answered.
void Worker::release() {
    deadline_.reset();
    listen_again_.reset();
    if (!link_ || link_->cut(cut_wait)) return;
    gate.warn("the MQTT library holds on to a connection: starting it anew, without the session");
    abandon();
}

void Worker::abandon() {
    std::unique_ptr<PahoLink> ended;  // destroyed without the lock, for that may take long
    const std::lock_guard lock(link_mutex_);
    if (link_) link_->give_up();
    ended = std::move(link_);
}

void Worker::on(command::Unreachable& unreachable) {
    if (!gate.expects(unreachable.attempt)) return;
    if (unreachable.tls) return fail(unreachable.attempt, std::move(*unreachable.tls));
    if (unreachable.stage == PahoLink::Stage::after_connect)
        return fail(unreachable.attempt, closed_without_connack());
    const std::string& path = current_.request.server.path;
    fail(unreachable.attempt, {LinkFailure::Class::passing, 0,
                               path.empty() ? "the connection broke while it was being made"
                                            : "the server does not take a WebSocket for MQTT at " + path});
}

LinkFailure Worker::closed_without_connack() {
    LinkFailure failure{LinkFailure::Class::passing, 0,
                        "the broker closed the connection without answering CONNECT"};
    // Old brokers do so when they hear of MQTT 5; once is a hint, twice is something else.
    if (current_.request.protocol == Protocol::v5 && closed_at_v5_ != current_.request.server) {
        closed_at_v5_ = current_.request.server;
        failure.kind = LinkFailure::Class::protocol_version;
    }
    return failure;
}

void Worker::timed_out() {
    deadline_.reset();
    if (!gate.expire(current_.attempt)) return;
    const bool shaking_hands = uses_tls(current_.request.server.scheme) && link_ && !link_->is_secured();
    fail(current_.attempt, {LinkFailure::Class::passing, 0,
                            shaking_hands ? "the server does not finish the TLS handshake"
                                          : "the broker does not answer CONNECT"});
    release();  // last: it may have to wait for Paho
}

void Worker::fail(std::uint64_t attempt, LinkFailure failure) {
    deadline_.reset();
    gate.ended(attempt, transport::ConnectFailed{std::move(failure)});
}

// On Paho's threads from here on.

void Worker::connected(std::uint64_t attempt, transport::Connected event) {
    gate.connected(attempt, std::move(event));
    commands.post(command::Watch{});
}

void Worker::refused(std::uint64_t attempt, LinkFailure failure) {
    gate.ended(attempt, transport::ConnectFailed{std::move(failure)});
}

void Worker::unreachable(std::uint64_t attempt, PahoLink::Stage stage, std::optional<LinkFailure> tls) {
    commands.post(command::Unreachable{attempt, stage, std::move(tls)});
}

void Worker::lost(std::uint64_t attempt, LinkFailure failure) {
    gate.ended(attempt, transport::ConnectionLost{std::move(failure)});
}

class PahoTransport final : public Transport {
  public:
    PahoTransport(Sink sink, Log& log) : worker_(std::make_shared<Worker>(std::move(sink), log)) {}
    PahoTransport(const PahoTransport&) = delete;
    PahoTransport& operator=(const PahoTransport&) = delete;
    ~PahoTransport() override;

    void connect(const ConnectRequest& request) override;
    bool publish(DeliveryToken token, Message message) override {
        return worker_->gate.is_up() && worker_->publish(token, std::move(message));
    }
    void subscribe(const std::vector<std::string>& filters, int qos) override {
        worker_->commands.post(command::Subscribe{filters, qos});
    }
    void probe(const Server& server, std::chrono::milliseconds timeout) override {
        worker_->commands.post(command::Probe{server, timeout});
    }
    void disconnect() override;
    void drop() override;

  private:
    const std::shared_ptr<Worker> worker_;
    std::uint64_t attempts_ = 0;
    std::thread thread_;
};

PahoTransport::~PahoTransport() {
    worker_->gate.close();
    if (!thread_.joinable()) return;
    worker_->commands.post(command::Stop{});
    if (worker_->finished_within(destructor_wait))
        thread_.join();
    else
        thread_.detach();
}

void PahoTransport::connect(const ConnectRequest& request) {
    worker_->gate.expect(++attempts_);
    try {
        if (!thread_.joinable()) thread_ = std::thread([worker = worker_] { worker->run(); });
    } catch (const std::system_error& error) {
        Error why = system_error(Error::Kind::retry, "cannot start a thread", error.code().value());
        return worker_->gate.ended(
            attempts_, transport::ConnectFailed{{LinkFailure::Class::passing, 0, std::move(why.text)}});
    }
    worker_->commands.post(command::Connect{attempts_, request});
}

void PahoTransport::disconnect() {
    worker_->gate.expect(0);
    if (thread_.joinable())
        worker_->commands.post(command::Disconnect{});
    else
        worker_->gate.tell(transport::Disconnected{});
}

void PahoTransport::drop() {
    worker_->gate.expect(0);
    worker_->commands.post(command::Drop{});
}

}  // namespace

std::unique_ptr<Transport> make_paho_transport(Transport::Sink sink, Log& log) {
    return std::make_unique<PahoTransport>(std::move(sink), log);
}

}  // namespace holdfast
