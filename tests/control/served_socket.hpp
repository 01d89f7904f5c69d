// A control socket that is served, and asked as the command line asks it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "control/control_socket.hpp"
#include "daemon/sd_event_loop.hpp"
#include "support/temp_dir.hpp"

namespace holdfast::test {

using namespace std::chrono_literals;

// A server on a loop, and a client on a thread of its own, as the command line is a process of its own.
class ServedSocket : public ::testing::Test {
  protected:
    void SetUp() override { loop_ = std::move(SdEventLoop::create().value()); }

    void serve(ControlServer::Answer answer) {
        auto server = ControlServer::listen(*loop_, path_, std::move(answer));
        ASSERT_TRUE(server) << server.error().text;
        server_ = std::move(*server);
    }

    // Runs the loop while `client` runs; once in a test.
    void with_client(const std::function<void()>& client) {
        auto poll = std::move(loop_->timer([this] { check_done(); }).value());
        poll_ = poll.get();
        check_done();
        std::thread thread([&] {
            client();
            done_ = true;
        });
        const auto ran = loop_->run();
        thread.join();
        EXPECT_TRUE(ran);
    }

    test::TempDir directory_;
    std::filesystem::path path_ = directory_ / "control.sock";
    std::unique_ptr<SdEventLoop> loop_;
    std::unique_ptr<ControlServer> server_;

  private:
    void check_done() {
        if (done_) return loop_->quit();
        poll_->set(std::chrono::steady_clock::now() + 2ms);
    }
    std::atomic<bool> done_ = false;
    EventLoop::Timer* poll_ = nullptr;
};

}  // namespace holdfast::test
