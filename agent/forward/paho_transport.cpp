#include "forward/paho_transport.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/mailbox.hpp"
#include "forward/diagnose.hpp"
#include "forward/paho_link.hpp"
#include "forward/resolver.hpp"
#include "forward/tls_policy.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

constexpr auto cut_wait = 1s;        // for Paho to notice that its socket was taken away
constexpr auto farewell_wait = 2s;   // for DISCONNECT to be written
constexpr auto diagnosis_time = 3s;  // beyond the attempt's own time
constexpr auto destructor_wait = 2s;

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
};
struct Stop {};
using Any = std::variant<Connect, Subscribe, Disconnect, Drop, Unreachable, Stop>;
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
    bool publish(DeliveryToken token, Message message) { return link_->publish(token, std::move(message)); }
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
    void on(command::Stop&) { stopping_ = true; }

    void timed_out();
    std::optional<LinkFailure> prepare(const ConnectRequest& request, MonoTime deadline);
    Result<void> open(const command::Connect& connect);
    void release();
    void abandon();
    void fail(std::uint64_t attempt, LinkFailure failure);
    LinkFailure closed_without_connack();

    void connected(std::uint64_t attempt, transport::Connected event) override;
    void refused(std::uint64_t attempt, LinkFailure failure) override;
    void unreachable(std::uint64_t attempt, PahoLink::Stage stage) override;
    void lost(std::uint64_t attempt, LinkFailure failure) override;
    void answered(transport::Event event) override { gate.tell(std::move(event)); }

    // The worker thread's own.
    std::unique_ptr<PahoLink> link_;
    Resolver resolver_;
    command::Connect current_;
    std::optional<MonoTime> deadline_;             // of the attempt that is under way
    std::optional<TlsConfig::Version> tls_floor_;  // what OpenSSL was told last
    Server closed_at_v5_;                          // closed the connection at our CONNECT of MQTT 5
    bool stopping_ = false;

    std::mutex finished_mutex_;
    std::condition_variable finished_changed_;
    bool finished_ = false;
};

void Worker::run() {
    std::vector<command::Any> taken;
    while (!stopping_) {
        commands.take(taken, deadline_);
        for (command::Any& command : taken)
            std::visit([this](auto& c) { on(c); }, command);
        if (deadline_ && std::chrono::steady_clock::now() >= *deadline_) timed_out();
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
    if (auto failure = prepare(connect.request, deadline)) return fail(connect.attempt, std::move(*failure));
    current_ = std::move(connect);
    deadline_ = deadline;
    const auto opened = open(current_);
    if (opened) return;
    // A client object that is not in the state we think it is in is not to be trusted with another attempt.
    if (opened.error().kind == Error::Kind::bug) abandon();
    fail(current_.attempt, {LinkFailure::Class::passing, 0, opened.error().text});
}

// Everything that can be known to fail before Paho is asked. The name is resolved here first, with a
// deadline, so that Paho hardly ever waits for a name server with its lock in its hand.
std::optional<LinkFailure> Worker::prepare(const ConnectRequest& request, MonoTime deadline) {
    const TlsConfig& tls = request.tls;
    if (uses_tls(request.server.scheme)) {
        if (auto failure = check_tls_files(tls)) return failure;
        // Paho compares the brackets too (SSLSocket_connect), so that no certificate fits.
        if (tls.verify && request.server.host.find(':') != std::string::npos)
            return LinkFailure{
                LinkFailure::Class::person, 0,
                "the certificate of an IPv6 address cannot be checked: use a host name in servers"};
        if (tls_floor_ != tls.min_version) {
            if (const auto raised = raise_tls_floor(tls.min_version); !raised)
                return LinkFailure{LinkFailure::Class::passing, 0, raised.error().text};
            tls_floor_ = tls.min_version;
        }
    }
    const auto addresses = resolver_.resolve(request.server.host, request.server.port, deadline);
    if (!addresses) return LinkFailure{LinkFailure::Class::passing, 0, addresses.error().text};
    return std::nullopt;
}

Result<void> Worker::open(const command::Connect& connect) {
    if (link_ && !link_->fits(connect.request)) abandon();
    if (!link_) {
        auto made = PahoLink::make(connect.request, *this);
        if (!made) return made.error();
        link_ = std::move(*made);
    }
    return link_->connect(connect.attempt, connect.request);
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
    if (!link_ || link_->cut(cut_wait)) return;
    gate.warn("the MQTT library holds on to a connection: starting it anew, without the session");
    abandon();
}

void Worker::abandon() {
    if (link_) link_->give_up();
    link_.reset();
}

void Worker::on(command::Unreachable& unreachable) {
    if (!gate.expects(unreachable.attempt)) return;
    const ConnectRequest& request = current_.request;
    const ServerDiagnosis diagnosis = diagnose_server(request.server, request.tls, diagnosis_time);
    if (diagnosis.failure) return fail(unreachable.attempt, *diagnosis.failure);
    if (unreachable.stage == PahoLink::Stage::after_connect)
        return fail(unreachable.attempt, closed_without_connack());
    const bool is_websocket = !request.server.path.empty();
    fail(unreachable.attempt,
         {LinkFailure::Class::passing, 0,
          is_websocket ? "the server does not take a WebSocket for MQTT at " + request.server.path
                       : "the connection broke while it was being made"});
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
    const ConnectRequest& request = current_.request;
    const ServerDiagnosis diagnosis = diagnose_server(request.server, request.tls, diagnosis_time);
    fail(current_.attempt, diagnosis.failure.value_or(LinkFailure{LinkFailure::Class::passing, 0,
                                                                  "the broker does not answer CONNECT"}));
    release();  // last: it may have to wait for Paho
}

void Worker::fail(std::uint64_t attempt, LinkFailure failure) {
    deadline_.reset();
    gate.ended(attempt, transport::ConnectFailed{std::move(failure)});
}

// On Paho's threads from here on.

void Worker::connected(std::uint64_t attempt, transport::Connected event) {
    gate.connected(attempt, std::move(event));
}

void Worker::refused(std::uint64_t attempt, LinkFailure failure) {
    gate.ended(attempt, transport::ConnectFailed{std::move(failure)});
}

void Worker::unreachable(std::uint64_t attempt, PahoLink::Stage stage) {
    commands.post(command::Unreachable{attempt, stage});
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
