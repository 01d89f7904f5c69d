// The running agent: builds the object graph, owns the threads, starts, reloads and stops them in order.
//
//   Inputs -> Pipeline -> StoreThread(Buffer) <-> ForwarderThread(Transport)
//
// The main thread runs the loop here; everything but the two threads' insides lives on it.
#pragma once

#include <memory>
#include <optional>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "buffer/store_thread.hpp"
#include "config/config.hpp"
#include "control/control_socket.hpp"
#include "control/refused.hpp"
#include "control/status.hpp"
#include "daemon/device_watch.hpp"
#include "daemon/link_watch.hpp"
#include "daemon/places.hpp"
#include "daemon/sd_event_loop.hpp"
#include "forward/forwarder_thread.hpp"
#include "input/inputs.hpp"
#include "pipeline/pipeline.hpp"

namespace holdfast {

class Agent final : public ReadingSink {
  public:
    Agent(Places places, Config config, const Clock& clock, Log& log);
    ~Agent() override;

    // Starts everything; fails when the state or runtime directory can't be used. Needs no network, broker or
    // clock.
    Result<void> start();
    // Runs until SIGTERM or SIGINT, then stops in order: what was taken in is on disk when it returns. Fails
    // when it had to stop for another reason.
    Result<void> run();
    // After run(): false when a library did not let go of its thread. Then this must not be destroyed: leave
    // by _exit.
    bool let_go() const { return let_go_; }

  private:
    class PluginQuestions;

    Result<void> make_directories() const;
    Result<void> start_threads();
    Result<void> listen();
    void say_start() const;

    void begin_stream(const std::string& input) override;
    void accept(const std::string& input, const Reading& reading,
                const std::vector<Channel>& channels) override;

    void turn_ended();
    void keep_house();
    bool threads_progress() const;
    Result<void> fit_running_topic(const std::vector<InputConfig>& inputs) const;
    void reload();
    void stop();
    AgentStatus status() const;
    std::string answer(std::string_view request, uid_t user);
    std::string answer_question(std::string_view request);
    std::string answer_about_refused(std::string_view request, const StoreThread::Answer& answer) const;
    void ask_about_refused(RefusedRequest request, std::uint64_t number);
    bool ask_store(std::string_view request, std::uint64_t number);

    Places places_;
    Config config_;
    const Clock& clock_;
    Log& log_;
    MonoTime started_;
    std::int64_t started_wall_us_;
    std::optional<Micros> watchdog_;
    MonoTime fed_{};
    bool paused_ = false;
    // What the store was asked and has not yet answered; forgotten when nobody comes back for it.
    struct Question {
        std::string request;
        std::uint64_t number;
        MonoTime polled;
    };
    std::optional<Question> question_;
    std::uint64_t last_question_ = 0;
    bool let_go_ = true;

    // In the order of a reading's way; destroyed in the reverse.
    std::unique_ptr<SdEventLoop> loop_;
    UniqueFd room_event_;
    std::unique_ptr<StoreThread> store_;
    std::unique_ptr<ForwarderThread> forwarder_;
    std::unique_ptr<LinkWatch> link_watch_;
    std::unique_ptr<Pipeline> pipeline_;
    std::unique_ptr<Inputs> inputs_;
    std::unique_ptr<DeviceWatch> device_watch_;
    std::unique_ptr<ControlServer> control_;
    std::unique_ptr<EventLoop::Timer> batch_timer_;
    std::optional<MonoTime> batch_due_;
    std::unique_ptr<EventLoop::Timer> house_timer_;
    std::vector<EventLoop::SourcePtr> sources_;
};

// What a process that runs inputs or Paho sets up first: ignores SIGPIPE (paho.mqtt.c #1346), takes proxy
// variables out of the environment (Paho would follow them), makes files private.
void prepare_process();

}  // namespace holdfast
