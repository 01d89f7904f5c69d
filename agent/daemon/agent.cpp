#include "daemon/agent.hpp"

#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <system_error>

#include "base/journal_id.hpp"
#include "base/version.hpp"
#include "config/load.hpp"
#include "control/client_id.hpp"
#include "control/listing.hpp"
#include "daemon/systemd.hpp"
#include "forward/paho_transport.hpp"
#include "input/orphans.hpp"
#include "model/topic.hpp"

namespace holdfast {
namespace {

constexpr auto house_interval = std::chrono::seconds(1);
// Who asked the store something and does not come back for the answer within this has gone.
constexpr auto question_limit = std::chrono::seconds(5);
// How long a thread may stay away from its loop. Flash may take seconds to sync; a call into Paho may wait
// for DNS twice.
constexpr auto store_limit = std::chrono::seconds(60);
constexpr auto forwarder_limit = std::chrono::seconds(180);
// Of the five seconds a stop may take: what messages in flight get to be acknowledged.
constexpr auto forwarder_grace = std::chrono::milliseconds(1000);

Result<void> make_directory(const std::filesystem::path& path, mode_t mode) {
    std::error_code failure;
    std::filesystem::create_directories(path.parent_path(), failure);
    if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
    const int code = errno;
    const char* hint = code == EACCES ? " (run it as root, or name others: --state-dir, --runtime-dir)" : "";
    return system_error(Error::Kind::retry, path.native() + ": can't make the directory" + hint, code);
}

}  // namespace

void prepare_process() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, nullptr);
    for (const char* name :
         {"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
        ::unsetenv(name);
    ::umask(077);
}

Agent::Agent(Places places, Config config, const Clock& clock, Log& log)
    : places_(std::move(places)),
      config_(std::move(config)),
      clock_(clock),
      log_(log),
      started_(clock.now()),
      started_wall_us_(clock.wall_us()),
      watchdog_(systemd::watchdog_interval()) {}

Agent::~Agent() = default;

Result<void> Agent::make_directories() const {
    // When that fails, the buffer says why, and goes on in memory.
    (void)make_directory(places_.state_directory, 0700);
    return make_directory(places_.runtime_directory, 0755);
}

Result<void> Agent::start() {
    if (auto made = make_directories(); !made) return made;
    auto loop = SdEventLoop::create();
    if (!loop) return loop.error();
    loop_ = std::move(*loop);
    if (auto adopted = adopt_orphans(); !adopted) log_.warning(adopted.error().text + ", ignoring");
    if (auto listening = listen(); !listening) return listening;
    if (auto started = start_threads(); !started) return started;

    pipeline_ = std::make_unique<Pipeline>(config_.agent, config_.batch, clock_,
                                           [this](Batch batch) { store_->append(std::move(batch)); });
    pipeline_->configure(config_.inputs);
    inputs_ = std::make_unique<Inputs>(*loop_, clock_, log_, places_.inputs, *this);
    inputs_->configure(config_.inputs);
    device_watch_ = std::make_unique<DeviceWatch>(*loop_, places_.inputs.sensor_root.native() + "/dev",
                                                  [this] { inputs_->devices_appeared(); });
    loop_->after_turn([this] { turn_ended(); });
    keep_house();
    say_start();
    systemd::notify_ready(status_line(status()));
    return {};
}

// Signals, timers and the control socket: before the threads, so that they inherit the blocked signals.
Result<void> Agent::listen() {
    for (const auto& [number, received] :
         {std::pair<int, std::function<void()>>{SIGTERM, [this] { loop_->quit(); }},
          {SIGINT, [this] { loop_->quit(); }},
          {SIGHUP, [this] { reload(); }}}) {
        auto source = loop_->signal(number, received);
        if (!source) return source.error();
        sources_.push_back(std::move(*source));
    }
    room_event_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    auto room = loop_->watch(room_event_.get(), EPOLLIN, [this](std::uint32_t) {
        eventfd_t count = 0;
        ::eventfd_read(room_event_.get(), &count);
    });
    if (!room) return room.error();
    sources_.push_back(std::move(*room));

    auto batch_timer = loop_->timer([this] { batch_due_.reset(); });
    if (!batch_timer) return batch_timer.error();
    batch_timer_ = std::move(*batch_timer);
    auto house_timer = loop_->timer([this] { keep_house(); });
    if (!house_timer) return house_timer.error();
    house_timer_ = std::move(*house_timer);

    auto control =
        ControlServer::listen(*loop_, places_.control_socket(),
                              [this](std::string_view request, uid_t user) { return answer(request, user); });
    if (!control) return control.error();
    control_ = std::move(*control);
    return {};
}

Result<void> Agent::start_threads() {
    auto buffer = Buffer::open(places_.state_directory, config_.buffer, clock_, log_);
    if (!buffer) return buffer.error();
    store_ = std::make_unique<StoreThread>(std::move(*buffer), clock_, inbox_limit(config_.buffer),
                                           [fd = room_event_.get()] { ::eventfd_write(fd, 1); });
    ForwardIdentity identity{config_.agent.id, std::string(version), store_->epoch(), started_wall_us_,
                             config_.batch.timestamp_unit};
    forwarder_ = std::make_unique<ForwarderThread>(
        config_.broker, std::move(identity), *store_, clock_, log_,
        [this](Transport::Sink sink) { return make_paho_transport(std::move(sink), log_); });
    store_->start(forwarder_.get());
    forwarder_->start();
    link_watch_ = std::make_unique<LinkWatch>(*loop_, [this] { forwarder_->network_changed(); });
    return {};
}

void Agent::say_start() const {
    const auto& servers = config_.broker.servers;
    log_.info("holdfast " + std::string(version) + " started: agent " + config_.agent.id + ", " +
                  std::to_string(config_.inputs.size()) + " inputs, " +
                  (servers.empty() ? std::string("no server configured: readings are kept in the buffer")
                                   : "server " + servers.front().url) +
                  ", " + std::to_string(store_->status().readings) + " readings in the buffer",
              {journal_id::started});
    if (!config_.broker.tls.verify)
        log_.warning("certificate verification is off: anyone on the way can read and change what is sent");
}

void Agent::begin_stream(const std::string& input) {
    pipeline_->begin_stream(input);
}

void Agent::accept(const std::string& input, const Reading& reading, const std::vector<Channel>& channels) {
    pipeline_->accept(input, reading, channels);
}

// What arrived in this turn moves on, and intake follows the store's room.
void Agent::turn_ended() {
    const auto due = pipeline_->step();
    if (due != batch_due_) {
        batch_due_ = due;
        if (due)
            batch_timer_->set(*due);
        else
            batch_timer_->clear();
    }
    const bool room = store_->has_room();
    if (room == paused_) {
        paused_ = !room;
        room ? inputs_->resume() : inputs_->pause();
    }
}

void Agent::keep_house() {
    house_timer_->set(clock_.now() + house_interval);
    if (forwarder_->ended()) return loop_->quit();
    const ForwardStatus forward = forwarder_->status();
    const bool online = forward.state == BrokerState::connected;
    pipeline_->set_message_limit(forward.payload_limit > 0 ? forward.payload_limit : no_message_limit);
    const bool needs_disk = config_.buffer.durability == Durability::strict || !online;
    pipeline_->set_longest_wait(needs_disk ? config_.buffer.commit_interval : config_.buffer.spill_after);
    if (!watchdog_ || clock_.now() - fed_ < *watchdog_ / 3 || !threads_progress()) return;
    fed_ = clock_.now();
    systemd::feed_watchdog();
    systemd::notify_status(status_line(status()));
}

bool Agent::threads_progress() const {
    return clock_.now() - store_->last_progress() < store_limit &&
           clock_.now() - forwarder_->last_progress() < forwarder_limit;
}

// The new inputs were checked against the new [broker] topic and tags; until a restart the old ones hold.
Result<void> Agent::fit_running_topic(const std::vector<InputConfig>& inputs) const {
    for (const InputConfig& input : inputs) {
        const Tags tags = merged_tags(input.tags, config_.agent.tags);
        auto topic = expand_topic(config_.broker.topic, config_.agent.id, input.name, views_of(tags));
        if (!topic) return Error{topic.error().kind, "input " + input.name + ": " + topic.error().text};
    }
    return {};
}

// Asks plugins while the configuration is read again. One that hangs takes 5 s to be found out, and there may
// be many: the watchdog is fed between them, and who did not answer once is not asked again.
class Agent::PluginQuestions {
  public:
    explicit PluginQuestions(const Agent& agent) : agent_(agent) {}

    Result<PluginInfo> describe(const std::string& plugin) {
        feed();
        return describe_plugin(agent_.places_.inputs, plugin);
    }
    // Of what is new or has changed: what runs, or was wrong from the start, is no reason against the rest;
    // and neither is a plugin that can't be asked.
    std::vector<std::string> check(const InputConfig& input) {
        const auto& known = agent_.config_.inputs;
        const bool is_known = std::any_of(known.begin(), known.end(), [&](const InputConfig& other) {
            return other.plugin == input.plugin && other.options == input.options &&
                   other.interval == input.interval;
        });
        if (is_known || silent_.contains(input.plugin)) return {};
        feed();
        auto mistakes = check_options(agent_.places_.inputs, input);
        if (mistakes) return *std::move(mistakes);
        silent_.insert(input.plugin);
        agent_.log_.warning("input " + input.name + ": " + mistakes.error().text);
        return {};
    }

  private:
    void feed() const {
        if (agent_.watchdog_) systemd::feed_watchdog();
    }

    const Agent& agent_;
    std::set<std::string> silent_;
};

void Agent::reload() {
    systemd::notify_reloading();
    PluginQuestions ask(*this);
    LoadedConfig loaded = load_config(
        places_.files_to_load(), [&](const std::string& plugin) { return ask.describe(plugin); },
        [&](const InputConfig& input) { return ask.check(input); });
    for (const ConfigProblem& problem : loaded.problems)
        log_.error(to_string(problem));
    if (!loaded.config) {
        log_.error("the configuration is wrong: going on with the one before",
                   {journal_id::configuration_refused});
    } else {
        std::string restart;
        const auto changed = [&](bool differs, const char* section) {
            if (differs) restart += (restart.empty() ? "" : ", ") + std::string(section);
        };
        changed(
            loaded.config->agent.id != config_.agent.id || loaded.config->agent.tags != config_.agent.tags,
            "[agent]");
        changed(loaded.config->broker != config_.broker, "[broker]");
        changed(loaded.config->buffer != config_.buffer, "[buffer]");
        changed(loaded.config->batch != config_.batch, "[batch]");
        log_.set_level(loaded.config->agent.log_level);
        if (auto fits = fit_running_topic(loaded.config->inputs); !fits) {
            log_.error(fits.error().text + ": the inputs stay as they were until a restart");
        } else {
            config_.inputs = std::move(loaded.config->inputs);
            inputs_->configure(
                config_.inputs);  // first: the pipeline still knows whose last frames come in now
            pipeline_->configure(config_.inputs);
        }
        log_.info("configuration read again: inputs are up to date" +
                  (restart.empty() ? "" : "; a restart is needed for the changes in " + restart));
    }
    systemd::notify_ready(status_line(status()));
}

Result<void> Agent::run() {
    auto ran = loop_->run();
    const bool forwarder_ended = forwarder_->ended();
    stop();
    if (ran && forwarder_ended) return Error{Error::Kind::bug, "the forwarder ended by itself"};
    return ran;
}

// Inputs, pipeline, buffer, forwarder: everything is in the store's hands, and on its way to disk, before the
// network gets its grace.
void Agent::stop() {
    systemd::notify_stopping();
    log_.info("stopping");
    control_.reset();
    inputs_->stop();
    pipeline_->flush();
    store_->set_link(false);
    let_go_ = forwarder_->stop(forwarder_grace);
    if (auto stored = store_->stop(); !stored) log_.error("buffer: " + stored.error().text);
    const BufferStatus buffer = store_->status();
    log_.info("stopped: " + std::to_string(buffer.readings) + " readings wait in the buffer",
              {journal_id::stopped});
}

AgentStatus Agent::status() const {
    AgentStatus status;
    status.agent = config_.agent.id;
    status.version = version;
    status.wall_us = clock_.wall_us();
    status.uptime_s = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - started_).count());
    status.forward = forwarder_->status();
    status.buffer = store_->status();
    status.forward.acked_readings = status.buffer.acked_readings;
    const std::uint64_t open = pipeline_->open_readings();
    status.buffer.readings += open;
    status.buffer.in_memory_readings += open;
    if (!status.buffer.oldest_wall_us) status.buffer.oldest_wall_us = pipeline_->oldest_open_wall_us();
    status.inputs = inputs_->status();
    return status;
}

std::string Agent::answer(std::string_view request, uid_t user) {
    if (request == "status json") return status_json(status());
    if (request == "status text") return status_text(status());
    if (request == "buffer json") return buffer_json(status().buffer);
    if (request == "buffer text") return buffer_text(status().buffer) + "\n";
    if (request.starts_with(client_id_request)) {
        const bool ours = request.substr(client_id_request.size()) == config_.broker.client_id;
        return ours ? client_id_report(forwarder_->status(), clock_.now()) : std::string(not_our_client_id);
    }
    if (request.starts_with(list_request)) return answer_question(request);
    if (request.starts_with(purge_request)) {
        if (user == 0 || user == ::geteuid()) return answer_question(request);
        return "error: only root and the agent's user may purge the buffer\n";
    }
    if (request.starts_with(refused_request)) {
        const auto parsed = parse_refused_request(request, store_->epoch());
        if (!parsed) return "error: " + parsed.error().text + "\n";
        const bool looks =
            parsed->verb == RefusedRequest::Verb::list || parsed->verb == RefusedRequest::Verb::show;
        if (looks || user == 0 || user == ::geteuid()) return answer_question(request);
        return "error: only root and the agent's user may retry or drop what is set aside\n";
    }
    return "error: unknown request\n";
}

// The store thread answers in its own time: who asks is told to ask again, and others to wait until then.
std::string Agent::answer_question(std::string_view request) {
    const MonoTime now = clock_.now();
    if (question_ && question_->request != request && now - question_->polled < question_limit)
        return std::string(ask_again);
    if (!question_ || question_->request != request) {
        if (!ask_store(request, ++last_question_)) return "error: unknown request\n";
        question_ = {std::string(request), last_question_, now};
        return std::string(ask_again);
    }
    question_->polled = now;
    const auto answer = store_->take_answer(question_->number);
    if (!answer) return std::string(ask_again);
    question_.reset();
    if (request.starts_with(purge_request)) return std::to_string(answer->purged) + "\n";
    if (request.starts_with(refused_request)) return answer_about_refused(request, *answer);
    return listing_text(answer->listing, {config_.agent.id, store_->epoch(), config_.batch.timestamp_unit});
}

std::string Agent::answer_about_refused(std::string_view request, const StoreThread::Answer& answer) const {
    const auto parsed = parse_refused_request(request, store_->epoch());
    if (!parsed) return "error: " + parsed.error().text + "\n";
    if (parsed->verb == RefusedRequest::Verb::retry || parsed->verb == RefusedRequest::Verb::drop)
        return settled_answer(answer.settled);
    return refused_answer(*parsed, answer.refused,
                          {config_.agent.id, store_->epoch(), config_.batch.timestamp_unit});
}

void Agent::ask_about_refused(RefusedRequest request, std::uint64_t number) {
    switch (request.verb) {
        case RefusedRequest::Verb::list:
            return store_->ask_to_list_refused(number, request.from);
        case RefusedRequest::Verb::show:
            return store_->ask_for_refused(number, request.messages.front());
        case RefusedRequest::Verb::retry:
            return store_->ask_to_settle_refused(number, RefusedVerdict::retry, std::move(request.messages));
        case RefusedRequest::Verb::drop:
            return store_->ask_to_settle_refused(number, RefusedVerdict::drop, std::move(request.messages));
    }
}

bool Agent::ask_store(std::string_view request, std::uint64_t number) {
    if (request.starts_with(refused_request)) {
        auto parsed = parse_refused_request(request, store_->epoch());
        if (parsed) ask_about_refused(std::move(*parsed), number);
        return parsed.has_value();
    }
    if (request.starts_with(purge_request)) {
        store_->ask_to_purge(number);
        return true;
    }
    const auto place = parse_place(request.substr(list_request.size()));
    if (place) store_->ask_to_list(number, *place);
    return place.has_value();
}

}  // namespace holdfast
