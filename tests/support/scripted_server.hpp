// A TCP server whose every connection is handled by a function of the test, on the server's own thread, one
// at a time.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "support/loopback.hpp"

namespace holdfast::test {

class ScriptedServer {
  public:
    // One accepted connection. Reads give up after a while, so that a script never hangs a test.
    class Peer {
      public:
        Peer(UniqueFd fd, const std::atomic<bool>& stopping) : fd_(std::move(fd)), stopping_(stopping) {}

        int fd() const { return fd_.get(); }
        void send(std::string_view bytes) const {
            [[maybe_unused]] const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        }
        // Exactly `count` bytes; fewer when the other end closed or nothing came for long.
        std::string read(std::size_t count) const {
            std::string bytes;
            char byte = 0;
            while (bytes.size() < count && ready() && ::read(fd_.get(), &byte, 1) == 1)
                bytes += byte;
            return bytes;
        }
        // Everything until the other end closes, which it reports by returning.
        std::string read_to_end() const { return read(std::string::npos); }
        // One MQTT packet with its fixed header; empty when the other end closed.
        std::string read_packet() const {
            std::string packet = read(1);
            std::size_t length = 0;
            for (unsigned shift = 0; shift < 28; shift += 7) {
                const std::string digit = read(1);
                if (digit.empty()) return packet;
                packet += digit;
                length |= static_cast<std::size_t>(digit[0] & 0x7F) << shift;
                if ((digit[0] & 0x80) == 0) break;
            }
            return packet + read(length);
        }

      private:
        bool ready() const {
            for (int turn = 0; turn < 200 && !stopping_; ++turn) {
                pollfd item{fd_.get(), POLLIN, 0};
                if (::poll(&item, 1, 100) > 0) return true;
            }
            return false;
        }

        UniqueFd fd_;
        const std::atomic<bool>& stopping_;
    };
    using Script = std::function<void(Peer&, int number)>;  // number: 0 for the first connection

    explicit ScriptedServer(Script script) : listener_(bind_loopback()), script_(std::move(script)) {
        ::listen(listener_.get(), 16);
        thread_ = std::thread([this] { run(); });
    }
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;
    ~ScriptedServer() {
        stopping_ = true;
        thread_.join();
    }

    std::uint16_t port() const { return port_of(listener_.get()); }
    int connections() const { return connections_; }

  private:
    void run() {
        while (!stopping_) {
            pollfd item{listener_.get(), POLLIN, 0};
            if (::poll(&item, 1, 20) <= 0) continue;
            Peer peer(UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)), stopping_);
            script_(peer, connections_++);
        }
    }

    UniqueFd listener_;
    const Script script_;
    std::atomic<bool> stopping_ = false;
    std::atomic<int> connections_ = 0;
    std::thread thread_;
};

}  // namespace holdfast::test
