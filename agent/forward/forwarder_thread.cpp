#include "forward/forwarder_thread.hpp"

#include <pthread.h>

#include <exception>
#include <random>
#include <utility>

#include "forward/connect_request.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

// The loop comes round at least so often, for the watchdog.
constexpr auto longest_sleep = 2s;
// How often the certificate and password files are looked at.
constexpr auto files_interval = 1s;
// What stop() allows beyond the grace: the forwarder's farewell, and the transport's end.
constexpr auto stop_slack = 2500ms;

std::uint64_t random_seed() {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

ForwarderThread::ForwarderThread(const BrokerConfig& config, ForwardIdentity identity, BatchSource& source,
                                 const Clock& clock, Log& log, MakeTransport make_transport)
    : config_(config),
      source_(source),
      clock_(clock),
      log_(log),
      make_transport_(std::move(make_transport)),
      last_progress_(clock.now()),
      forwarder_(config, identity, log, random_seed()),
      files_(config),
      shown_(forwarder_.status()) {
    shown_.since_wall_us = clock_.wall_us();
}

ForwarderThread::~ForwarderThread() {
    if (!thread_.joinable()) return;
    mailbox_.post_urgent(Stop{0ms});
    thread_.join();
}

void ForwarderThread::start() {
    thread_ = std::thread([this] {
        ::pthread_setname_np(::pthread_self(), "forwarder");
        try {
            run();
        } catch (const std::exception& problem) {
            log_.error(std::string("the forwarder ends by an exception: ") + problem.what());
            failed_ = true;
        }
        ended_.post({});
    });
}

bool ForwarderThread::stop(std::chrono::milliseconds grace) {
    if (!thread_.joinable()) return true;
    mailbox_.post_urgent(Stop{grace});
    std::vector<Ended> ended;
    ended_.take(ended, std::chrono::steady_clock::now() + grace + stop_slack);
    if (ended.empty()) return false;
    thread_.join();
    return true;
}

void ForwarderThread::offer(std::vector<Batch> batches) {
    mailbox_.post(std::move(batches));
}

void ForwarderThread::network_changed() {
    if (!network_hint_posted_.exchange(true)) mailbox_.post(NetworkChanged{});
}

ForwardStatus ForwarderThread::status() const {
    const std::lock_guard lock(mutex_);
    return shown_;
}

MonoTime ForwarderThread::last_progress() const {
    return last_progress_;
}

void ForwarderThread::run() {
    transport_ = make_transport_([this](transport::Event event) { mailbox_.post(std::move(event)); });
    std::vector<Post> posts;
    forwarder_.start(clock_.now());
    turn(posts);
    while (!forwarder_.stopped()) {
        // A quarter of the window is soon refilled, and the rest keeps the link busy meanwhile.
        mailbox_.take(posts, wake_time(), forwarder_.window() / 4);
        turn(posts);
    }
    transport_.reset();
}

void ForwarderThread::turn(std::vector<Post>& posts) {
    const MonoTime now = clock_.now();
    last_progress_ = now;
    for (Post& post : posts)
        tell(post, now);
    look_after_files(now);
    forwarder_.set_backlog(source_.backlog());
    for (action::Any& action : forwarder_.step(now))
        perform(action, now);
    show_status();
}

MonoTime ForwarderThread::wake_time() const {
    const MonoTime latest = clock_.now() + longest_sleep;
    return std::min(latest, forwarder_.next_step().value_or(latest));
}

void ForwarderThread::tell(Post& post, MonoTime now) {
    if (auto* batches = std::get_if<std::vector<Batch>>(&post)) {
        forwarder_.offered(std::move(*batches));
    } else if (const auto* event = std::get_if<transport::Event>(&post)) {
        forwarder_.told(*event, now);
    } else if (const auto* stop = std::get_if<Stop>(&post)) {
        forwarder_.stop(stop->grace, now);
    } else {
        network_hint_posted_ = false;
        forwarder_.network_changed(now);
    }
}

void ForwarderThread::perform(action::Any& action, MonoTime now) {
    if (auto* publish = std::get_if<action::Publish>(&action)) {
        if (!transport_->publish(publish->token, std::move(publish->message)))
            forwarder_.not_taken(publish->token, now);
    } else if (auto* acknowledge = std::get_if<action::Acknowledge>(&action)) {
        source_.acknowledge(std::move(acknowledge->seqs));
    } else if (const auto* demand = std::get_if<action::Demand>(&action)) {
        source_.demand(demand->count);
    } else if (auto* give_back = std::get_if<action::GiveBack>(&action)) {
        source_.give_back(std::move(give_back->seqs));
    } else if (auto* aside = std::get_if<action::SetAside>(&action)) {
        source_.set_aside(std::move(aside->refusal));
    } else if (const auto* split = std::get_if<action::Split>(&action)) {
        source_.split(split->oversize);
    } else if (const auto* link = std::get_if<action::SetLink>(&action)) {
        source_.set_link(link->up);
    } else if (const auto* attempt = std::get_if<action::Connect>(&action)) {
        connect(*attempt, now);
    } else if (const auto* probe = std::get_if<action::Probe>(&action)) {
        transport_->probe(config_.servers[probe->server], config_.connect_timeout);
    } else if (std::holds_alternative<action::Disconnect>(action)) {
        transport_->disconnect();
    } else {
        transport_->drop();
    }
}

void ForwarderThread::connect(const action::Connect& attempt, MonoTime now) {
    const Server& server = config_.servers[attempt.server];
    // Without a good set the files themselves are tried, and the attempt says what is wrong with them.
    Result<ConnectRequest> request = files_.current()
                                         ? make_connect_request(config_, server, files_.current())
                                         : make_connect_request(config_, server);
    if (!request) {
        forwarder_.told(transport::ConnectFailed{{LinkFailure::Class::person, 0, request.error().text}}, now);
        return;
    }
    request->protocol = attempt.protocol;
    request->clean_start = attempt.clean_start;
    request->keep_alive = attempt.keep_alive;
    if (!attempt.client_id.empty()) request->client_id = attempt.client_id;
    if (std::optional<Message> will = forwarder_.status_message(AgentState::offline))
        request->will = Will{std::move(will->topic), std::move(will->payload), will->qos, will->retain};
    transport_->connect(*request);
}

void ForwarderThread::look_after_files(MonoTime now) {
    if (now < files_due_) return;
    files_due_ = now + files_interval;
    const std::int64_t wall_us = clock_.wall_us();
    const CredentialFiles::Change change = files_.look(now, wall_us);
    if (change.kind == CredentialFiles::Change::Kind::renewed) {
        log_.info("certificate or password files have changed and are good: connecting anew with them");
        forwarder_.renew(now);
    } else if (change.kind == CredentialFiles::Change::Kind::refused) {
        const char* instead = files_.current() ? ": going on with those before" : "";
        log_.warning("changed files are not used: " + change.why + instead);
    }
    const auto warn = [&](ExpiryNotice& notice, std::optional<std::int64_t> ends_wall_us) {
        const auto text = ends_wall_us ? notice.look(*ends_wall_us, wall_us) : std::nullopt;
        if (text) log_.warning(*text);
    };
    if (files_.current() && files_.current()->client)
        warn(our_expiry_, files_.current()->client->ends_wall_us);
    if (const auto& tls = forwarder_.status().tls) warn(server_expiry_, tls->not_after_wall_us);
}

void ForwarderThread::show_status() {
    ForwardStatus status = forwarder_.status();
    const std::int64_t wall_us = clock_.wall_us();
    status.files_error = files_.problem();
    if (files_.current() && files_.current()->client)
        status.client_not_after_wall_us = files_.current()->client->ends_wall_us;
    const std::lock_guard lock(mutex_);
    const bool same_state = shown_.state == status.state;
    const std::int64_t since_us = same_state ? shown_.since_wall_us : wall_us;
    const bool taken_over = status.takeovers > shown_.takeovers;
    const std::int64_t takeover_us = taken_over ? wall_us : shown_.last_takeover_wall_us;
    shown_ = std::move(status);
    shown_.since_wall_us = since_us;
    shown_.last_takeover_wall_us = takeover_us;
}

}  // namespace holdfast
