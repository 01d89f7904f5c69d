#include "control/control_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <thread>

#include "daemon/sd_event_loop.hpp"
#include "support/temp_dir.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

// A server on a loop, and a client on a thread of its own, as the command line is a process of its own.
class ControlSocketTest : public ::testing::Test {
  protected:
    void SetUp() override { loop_ = std::move(SdEventLoop::create().value()); }

    void serve(ControlServer::Answer answer) {
        auto server = ControlServer::listen(*loop_, path_, std::move(answer));
        ASSERT_TRUE(server) << server.error().text;
        server_ = std::move(*server);
    }

    // Runs the loop while `client` runs.
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

TEST_F(ControlSocketTest, AnswersTheRequestLine) {
    serve([](std::string_view request, uid_t) { return "you said " + std::string(request); });
    with_client([this] {
        const auto answer = ask_agent(path_, "status json");
        ASSERT_TRUE(answer) << answer.error().text;
        EXPECT_EQ(*answer, "you said status json");
    });
}

TEST_F(ControlSocketTest, AnAnswerLargerThanTheSocketBufferArrivesWhole) {
    const std::string large(3'000'000, 'x');
    serve([&](std::string_view, uid_t) { return large; });
    with_client([&] {
        const auto answer = ask_agent(path_, "status");
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->size(), large.size());
    });
}

TEST_F(ControlSocketTest, ARequestWithoutEndIsCutOffAndOthersGoOn) {
    serve([](std::string_view, uid_t) { return std::string("ok"); });
    with_client([this] {
        UniqueFd rude(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.native().copy(address.sun_path, sizeof address.sun_path - 1);
        ASSERT_EQ(::connect(rude.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        const std::string endless(100'000, 'a');
        ::send(rude.get(), endless.data(), endless.size(), MSG_NOSIGNAL);
        EXPECT_EQ(ask_agent(path_, "status").value_or("no answer"), "ok");
    });
}

TEST_F(ControlSocketTest, NoAgentIsToldApartFromABusyOne) {
    const auto answer = ask_agent(path_, "status");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, Error::Kind::gone);
}

TEST_F(ControlSocketTest, ADeadAgentsSocketIsReplacedALivingOnesIsNot) {
    serve([](std::string_view, uid_t) { return std::string("first"); });
    const auto second = ControlServer::listen(*loop_, path_, [](std::string_view, uid_t) { return std::string(); });
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().text.find("another agent"), std::string::npos);
    server_.reset();
    directory_.write("control.sock", "left over");
    serve([](std::string_view, uid_t) { return std::string("new"); });
    with_client([this] { EXPECT_EQ(ask_agent(path_, "status").value_or("no answer"), "new"); });
}

TEST_F(ControlSocketTest, TheSocketIsNotForOthers) {
    serve([](std::string_view, uid_t) { return std::string(); });
    struct stat status {};
    ASSERT_EQ(::stat(path_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0660u);
}

}  // namespace
}  // namespace holdfast
