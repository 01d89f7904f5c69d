#include "input/inputs.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "input/input_stream.hpp"
#include "input/orphans.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using Streams = std::vector<std::unique_ptr<InputStream>>;

// How long hosts may take to end by themselves, and then to be gone after SIGKILL.
constexpr Micros grace = 500ms;
constexpr int kill_limit_ms = 400;
constexpr Micros orphan_look = 20ms;

int milliseconds_until(MonoTime when) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(when - std::chrono::steady_clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

void remove_ended(std::vector<InputStream*>& streams) {
    std::erase_if(streams, [](const InputStream* stream) { return stream->has_ended(); });
}

// Takes in what the hosts still send until all sockets are at their end or the time is over.
void drain_until(std::vector<InputStream*> streams, MonoTime deadline) {
    remove_ended(streams);
    while (!streams.empty() && milliseconds_until(deadline) > 0) {
        std::vector<pollfd> sockets;
        for (const InputStream* stream : streams)
            sockets.push_back({stream->socket(), POLLIN, 0});
        ::poll(sockets.data(), sockets.size(), milliseconds_until(deadline));
        std::erase_if(streams, [](InputStream* stream) { return !stream->drain(); });
    }
}

// Ends several at once, so that a second is enough for all.
void end_all(const Streams& ending) {
    std::vector<InputStream*> streams;
    for (const auto& stream : ending) {
        stream->ask_to_end();
        streams.push_back(stream.get());
    }
    // Real time, whatever the clock of the tests says: these are real processes.
    const MonoTime deadline = std::chrono::steady_clock::now() + grace;
    drain_until(streams, deadline);
    for (InputStream* stream : streams)
        stream->reap(milliseconds_until(deadline));
    remove_ended(streams);
    for (InputStream* stream : streams)
        stream->kill();
    const MonoTime last = std::chrono::steady_clock::now() + std::chrono::milliseconds(kill_limit_ms);
    for (InputStream* stream : streams)
        stream->reap(milliseconds_until(last));
}

}  // namespace

class Inputs::Impl {
  public:
    Impl(EventLoop& loop, const Clock& clock, Log& log, InputEnvironment environment, ReadingSink& sink)
        : environment_(std::move(environment)),
          buffer_(frame::max_bytes, '\0'),
          context_{loop, clock, log, environment_, sink, buffer_, [this] { look_for_orphans(); }} {
        if (auto timer = loop.timer([this] { look_for_orphans(); }))
            orphan_timer_ = *std::move(timer);
        else
            log.error(timer.error().text);
    }

    void configure(const std::vector<InputConfig>& inputs) {
        ending_ = std::exchange(streams_, {});
        for (const InputConfig& config : inputs)
            streams_.push_back(keep(ending_, config));
        std::erase(ending_, nullptr);
        end_all(ending_);
        ending_.clear();
        // After the end of the old ones: two hosts for one device would be in each other's way.
        for (std::size_t i = 0; i < inputs.size(); ++i)
            if (!streams_[i]) streams_[i] = make(inputs[i]);
    }

    void pause() {
        paused_ = true;
        for (const auto& stream : streams_)
            stream->pause();
    }

    void resume() {
        paused_ = false;
        for (const auto& stream : streams_)
            stream->resume();
    }

    void devices_appeared() {
        for (const auto& stream : streams_)
            stream->device_appeared();
    }

    void stop() { end_all(streams_); }

    std::vector<InputStatus> status() const {
        std::vector<InputStatus> all;
        for (const auto& stream : streams_)
            all.push_back(stream->status());
        return all;
    }

  private:
    // The stream that goes on under the new configuration, or none.
    static std::unique_ptr<InputStream> keep(Streams& before, const InputConfig& config) {
        for (auto& stream : before) {
            if (!stream || !same_host(stream->config(), config)) continue;
            stream->replace_config(config);
            return std::move(stream);
        }
        return nullptr;
    }

    std::unique_ptr<InputStream> make(const InputConfig& config) {
        auto stream = std::make_unique<InputStream>(config, context_);
        if (paused_) stream->pause();
        return stream;
    }

    void look_for_orphans() {
        std::vector<pid_t> hosts;
        for (const Streams* streams : {&streams_, &ending_})
            for (const auto& stream : *streams)
                if (stream && stream->pid() > 0) hosts.push_back(stream->pid());
        if (end_orphans(hosts) && orphan_timer_) orphan_timer_->set(context_.clock.now() + orphan_look);
    }

    InputEnvironment environment_;
    std::string buffer_;
    bool paused_ = false;
    InputContext context_;
    std::unique_ptr<EventLoop::Timer> orphan_timer_;
    Streams streams_;
    Streams ending_;
};

Inputs::Inputs(EventLoop& loop, const Clock& clock, Log& log, InputEnvironment environment, ReadingSink& sink)
    : impl_(std::make_unique<Impl>(loop, clock, log, std::move(environment), sink)) {}

Inputs::~Inputs() = default;

void Inputs::configure(const std::vector<InputConfig>& inputs) {
    impl_->configure(inputs);
}

void Inputs::pause() {
    impl_->pause();
}

void Inputs::resume() {
    impl_->resume();
}

void Inputs::devices_appeared() {
    impl_->devices_appeared();
}

void Inputs::stop() {
    impl_->stop();
}

std::vector<InputStatus> Inputs::status() const {
    return impl_->status();
}

}  // namespace holdfast
