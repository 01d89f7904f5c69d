// A transport that does what the test's script says instead of talking to a broker, and remembers what it was
// asked.
//
// The handlers run on the caller's thread and may answer at once through `answer`. Thread-safe: a test may
// answer and look from its own thread while a forwarder thread calls.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "forward/transport.hpp"

namespace holdfast::test {

// What outlives the transport, which belongs to the thread that made it.
class TransportScript {
  public:
    struct Published {
        DeliveryToken token;
        Message message;
    };
    // Set before the transport is used. The defaults accept and acknowledge everything.
    std::function<void(TransportScript&, const ConnectRequest&)> on_connect = [](auto& script, const auto&) {
        script.answer(transport::Connected{});
    };
    std::function<bool(TransportScript&, DeliveryToken, const Message&)> on_publish =
        [](auto& script, auto token, const auto&) {
            script.answer(transport::Delivered{token});
            return true;
        };
    std::function<void(TransportScript&)> on_disconnect = [](auto& script) {
        script.answer(transport::Disconnected{});
    };

    void answer(transport::Event event) {
        Transport::Sink sink;
        {
            const std::lock_guard lock(mutex_);
            sink = sink_;
        }
        if (sink) sink(std::move(event));
    }

    // Wait, at most a minute, until there are that many; then a copy.
    std::vector<ConnectRequest> connects(std::size_t at_least = 0) { return wait_for(connects_, at_least); }
    std::vector<Published> published(std::size_t at_least = 0) { return wait_for(published_, at_least); }
    int disconnects() {
        const std::lock_guard lock(mutex_);
        return disconnects_;
    }
    int drops() {
        const std::lock_guard lock(mutex_);
        return drops_;
    }

    // The transport that plays this script; the script must outlive it.
    std::unique_ptr<Transport> make(Transport::Sink sink) {
        const std::lock_guard lock(mutex_);
        sink_ = std::move(sink);
        return std::make_unique<Scripted>(*this);
    }

  private:
    class Scripted final : public Transport {
      public:
        explicit Scripted(TransportScript& script) : script_(script) {}
        ~Scripted() override {
            const std::lock_guard lock(script_.mutex_);
            script_.sink_ = nullptr;
        }
        void connect(const ConnectRequest& request) override {
            script_.note(script_.connects_, request);
            script_.on_connect(script_, request);
        }
        bool publish(DeliveryToken token, Message message) override {
            script_.note(script_.published_, Published{token, message});
            return script_.on_publish(script_, token, message);
        }
        void subscribe(const std::vector<std::string>&, int) override {
            script_.answer(transport::Subscribed{});
        }
        void probe(const Server&, std::chrono::milliseconds) override {
            script_.answer(transport::Probed{true});
        }
        void disconnect() override {
            script_.note(script_.disconnects_);
            script_.on_disconnect(script_);
        }
        void drop() override { script_.note(script_.drops_); }

      private:
        TransportScript& script_;
    };

    template <typename T>
    void note(std::vector<T>& list, const T& what) {
        const std::lock_guard lock(mutex_);
        list.push_back(what);
        changed_.notify_all();
    }
    void note(int& count) {
        const std::lock_guard lock(mutex_);
        ++count;
        changed_.notify_all();
    }
    template <typename T>
    std::vector<T> wait_for(const std::vector<T>& list, std::size_t at_least) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::minutes(1), [&] { return list.size() >= at_least; });
        return list;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    Transport::Sink sink_;
    std::vector<ConnectRequest> connects_;
    std::vector<Published> published_;
    int disconnects_ = 0;
    int drops_ = 0;
};

}  // namespace holdfast::test
