#include "daemon/sd_event_loop.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "base/unique_fd.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

class SdEventLoopTest : public ::testing::Test {
  protected:
    void SetUp() override {
        loop_ = std::move(SdEventLoop::create().value());
        guard_ = std::move(loop_
                               ->timer([this] {
                                   late_ = true;
                                   loop_->quit();
                               })
                               .value());
        guard_->set(std::chrono::steady_clock::now() + 20s);
    }
    void run() {
        ASSERT_TRUE(loop_->run());
        ASSERT_FALSE(late_) << "the loop waited for something that did not come";
    }

    std::unique_ptr<SdEventLoop> loop_;
    std::unique_ptr<EventLoop::Timer> guard_;
    bool late_ = false;
};

TEST_F(SdEventLoopTest, ATimerFiresOncePerSet) {
    int fired = 0;
    std::unique_ptr<EventLoop::Timer> timer;
    timer = std::move(loop_
                          ->timer([&] {
                              if (++fired == 3) return loop_->quit();
                              timer->set(std::chrono::steady_clock::now() + 1ms);
                          })
                          .value());
    timer->set(std::chrono::steady_clock::now());
    run();
    EXPECT_EQ(fired, 3);
}

TEST_F(SdEventLoopTest, TimersFireInTheOrderOfTheirTimes) {
    std::string order;
    const auto now = std::chrono::steady_clock::now();
    auto late = std::move(loop_
                              ->timer([&] {
                                  order += "b";
                                  loop_->quit();
                              })
                              .value());
    auto early = std::move(loop_->timer([&] { order += "a"; }).value());
    auto never = std::move(loop_->timer([&] { order += "c"; }).value());
    late->set(now + 20ms);
    early->set(now + 1ms);
    never->set(now + 2ms);
    never->clear();
    run();
    EXPECT_EQ(order, "ab");
}

TEST_F(SdEventLoopTest, ACallbackMayEndItsOwnSource) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd reader(ends[0]);
    const UniqueFd writer(ends[1]);
    EventLoop::SourcePtr source;
    int calls = 0;
    source = std::move(
        loop_
            ->watch(
                reader.get(), EPOLLIN,
                [&](std::uint32_t events) {
                    EXPECT_TRUE(events & EPOLLIN);
                    ++calls;
                    source.reset();  // the byte stays unread: a source still alive would be called for ever
                })
            .value());
    auto timer = std::move(loop_->timer([&] { loop_->quit(); }).value());
    timer->set(std::chrono::steady_clock::now() + 50ms);
    ASSERT_EQ(::write(writer.get(), "x", 1), 1);
    run();
    EXPECT_EQ(calls, 1);
}

TEST_F(SdEventLoopTest, AChildIsReapedAndItsStatusTold) {
    const pid_t exits = ::fork();
    if (exits == 0) ::_exit(7);
    int code = -1;
    auto first = std::move(loop_
                               ->child(exits,
                                       [&](int status) {
                                           code = status;
                                           loop_->quit();
                                       })
                               .value());
    run();
    EXPECT_TRUE(WIFEXITED(code));
    EXPECT_EQ(WEXITSTATUS(code), 7);
    EXPECT_EQ(::waitpid(exits, nullptr, WNOHANG), -1) << "a zombie is left";
}

TEST_F(SdEventLoopTest, AKilledChildTellsItsSignal) {
    const pid_t killed = ::fork();
    if (killed == 0)
        for (;;)
            ::pause();
    int code = 0;
    auto source = std::move(loop_
                                ->child(killed,
                                        [&](int status) {
                                            code = status;
                                            loop_->quit();
                                        })
                                .value());
    ASSERT_EQ(::kill(killed, SIGKILL), 0);
    run();
    EXPECT_TRUE(WIFSIGNALED(code));
    EXPECT_EQ(WTERMSIG(code), SIGKILL);
}

TEST_F(SdEventLoopTest, SignalsArriveInTheLoop) {
    bool received = false;
    auto source = std::move(loop_
                                ->signal(SIGUSR1,
                                         [&] {
                                             received = true;
                                             loop_->quit();
                                         })
                                .value());
    ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);
    run();
    EXPECT_TRUE(received);
}

TEST_F(SdEventLoopTest, AfterTurnRunsOnceSourcesWereDispatched) {
    int turns = 0;
    loop_->after_turn([&] { ++turns; });
    auto timer = std::move(loop_->timer([&] { loop_->quit(); }).value());
    timer->set(std::chrono::steady_clock::now());
    run();
    EXPECT_GE(turns, 1);
}

}  // namespace
}  // namespace holdfast
