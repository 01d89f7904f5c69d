// The thread that talks to the network: a short loop around the forwarder's state machine and a transport.
//
// It owns both: the transport is made, called and destroyed on this thread alone, and no lock is held in a
// call into it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/mailbox.hpp"
#include "buffer/exchange.hpp"
#include "config/config.hpp"
#include "forward/credential_files.hpp"
#include "forward/expiry_notice.hpp"
#include "forward/forward_status.hpp"
#include "forward/forwarder.hpp"
#include "forward/transport.hpp"

namespace holdfast {

using MakeTransport = std::function<std::unique_ptr<Transport>(Transport::Sink)>;

class ForwarderThread final : public BatchSink {
  public:
    ForwarderThread(const BrokerConfig& config, ForwardIdentity identity, BatchSource& source,
                    const Clock& clock, Log& log, MakeTransport make_transport);
    ~ForwarderThread() override;

    void start();
    // Waits up to `grace` for what is in flight, sends the offline status and DISCONNECT, gives back what is
    // not acknowledged, ends the thread. Returns false when Paho did not let go in time (DNS under its lock):
    // the caller then must not destroy it.
    bool stop(std::chrono::milliseconds grace);

    void offer(std::vector<Batch> batches) override;
    // The kernel reported a link or route: try now instead of waiting out the backoff.
    void network_changed();
    ForwardStatus status() const;
    // The thread ended though nobody asked: it threw. Nothing is sent any more; the agent has to be started
    // again.
    bool ended() const { return failed_; }
    // When the loop last came round; a call into Paho may take 30 s and more while DNS hangs.
    MonoTime last_progress() const;

  private:
    struct NetworkChanged {};
    struct Stop {
        std::chrono::milliseconds grace;
    };
    // Bounded: batches by what was demanded, events by what is in flight, hints by network_hint_posted_.
    using Post = std::variant<std::vector<Batch>, transport::Event, NetworkChanged, Stop>;
    struct Ended {};

    void run();
    void turn(std::vector<Post>& posts);
    void tell(Post& post, MonoTime now);
    void perform(action::Any& action, MonoTime now);
    void connect(const action::Connect& attempt, MonoTime now);
    MonoTime wake_time() const;
    void look_after_files(MonoTime now);
    void show_status();

    const BrokerConfig config_;
    BatchSource& source_;
    const Clock& clock_;
    Log& log_;
    MakeTransport make_transport_;
    Mailbox<Post> mailbox_;
    Mailbox<Ended> ended_;
    std::atomic<bool> network_hint_posted_ = false;
    std::atomic<MonoTime> last_progress_;
    std::atomic<bool> failed_ = false;
    std::thread thread_;

    // The thread's own.
    Forwarder forwarder_;
    std::unique_ptr<Transport> transport_;
    CredentialFiles files_;
    MonoTime files_due_{};
    ExpiryNotice our_expiry_{"our certificate"};
    ExpiryNotice server_expiry_{"the certificate of the server"};

    mutable std::mutex mutex_;  // guards shown_ alone
    ForwardStatus shown_;
};

}  // namespace holdfast
