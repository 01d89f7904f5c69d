#include "control/control_socket.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "control/served_socket.hpp"

namespace holdfast::test {
namespace {

using ControlSocketTest = ServedSocket;

sockaddr_un address_of(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.native().copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
}

UniqueFd connect_to(const std::filesystem::path& path) {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_un address = address_of(path);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
    return socket;
}

// An agent that is too busy to accept anyone, and whose queue is full.
class FullQueue {
  public:
    explicit FullQueue(const std::filesystem::path& path) {
        const sockaddr_un address = address_of(path);
        ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
        ::listen(listener_.get(), 0);
        while (UniqueFd waiting = connect_to(path))
            waiting_.push_back(std::move(waiting));
    }

  private:
    UniqueFd listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    std::vector<UniqueFd> waiting_;
};

// A loop whose events and failures are the test's.
class ScriptedLoop final : public EventLoop {
  public:
    Result<SourcePtr> watch(int, std::uint32_t, std::function<void(std::uint32_t)> ready) override {
        if (watches_fail) return Error{Error::Kind::retry, "no memory"};
        on_ready = std::move(ready);
        watching += 1;
        return SourcePtr(std::make_unique<Watched>(*this));
    }
    Result<std::unique_ptr<Timer>> timer(std::function<void()> fired) override {
        auto alarm = std::make_unique<Alarm>();
        alarm->fired = std::move(fired);
        alarms.push_back(alarm.get());
        return std::unique_ptr<Timer>(std::move(alarm));
    }
    Result<SourcePtr> child(pid_t, std::function<void(int)>) override {
        return Error{Error::Kind::bug, "not used"};
    }

    struct Alarm final : Timer {
        void set(MonoTime) override { armed = true; }
        void clear() override { armed = false; }
        std::function<void()> fired;
        bool armed = false;
    };
    bool watches_fail = false;
    int watching = 0;
    std::function<void(std::uint32_t)> on_ready;
    std::vector<Alarm*> alarms;

  private:
    struct Watched final : Source {
        explicit Watched(ScriptedLoop& of) : loop(of) {}
        ~Watched() override { loop.watching -= 1; }
        ScriptedLoop& loop;
    };
};

// As long as this lives the process gets no new descriptor.
class NoDescriptors {
  public:
    NoDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit none{0, before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    NoDescriptors(const NoDescriptors&) = delete;
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

  private:
    rlimit before_{};
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
        const UniqueFd rude = connect_to(path_);
        ASSERT_TRUE(rude);
        const std::string endless(100'000, 'a');
        ::send(rude.get(), endless.data(), endless.size(), MSG_NOSIGNAL);
        EXPECT_EQ(ask_agent(path_, "status").value_or("no answer"), "ok");
    });
}

TEST_F(ControlSocketTest, NoAgentIsToldApartFromABusyOne) {
    const auto nobody = ask_agent(path_, "status");
    ASSERT_FALSE(nobody);
    EXPECT_EQ(nobody.error().kind, Error::Kind::gone);
    directory_.write("control.sock", "no socket");
    EXPECT_EQ(ask_agent(path_, "status").error().kind, Error::Kind::gone);
    std::filesystem::remove(path_);
    const FullQueue busy(path_);
    const auto answer = ask_agent(path_, "status", 10ms);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, Error::Kind::retry) << answer.error().text;
}

TEST_F(ControlSocketTest, AnAgentWithTooManyAskersIsNoneThatIsGone) {
    serve([](std::string_view, uid_t) { return std::string("ok"); });
    with_client([this] {
        std::vector<UniqueFd> silent;
        for (int i = 0; i < 16; ++i)
            silent.push_back(connect_to(path_));
        const auto answer = ask_agent(path_, "status");
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().kind, Error::Kind::retry) << answer.error().text;
    });
}

TEST_F(ControlSocketTest, WhatNobodyWaitsForIsNotDoneLate) {
    std::vector<std::string> done;
    serve([&](std::string_view request, uid_t) { return done.emplace_back(request); });
    {
        const UniqueFd impatient = connect_to(path_);
        ASSERT_EQ(::send(impatient.get(), "purge\n", 6, MSG_NOSIGNAL), 6);
    }
    with_client([this] { EXPECT_TRUE(ask_agent(path_, "status")); });
    EXPECT_EQ(done, std::vector<std::string>{"status"});
}

TEST_F(ControlSocketTest, ABusyAgentsSocketIsNotReplaced) {
    const FullQueue busy(path_);
    const auto second =
        ControlServer::listen(*loop_, path_, [](std::string_view, uid_t) { return std::string(); });
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().text.find("another agent"), std::string::npos);
}

TEST_F(ControlSocketTest, GoesOnListeningAfterARestHoweverOftenThatFails) {
    ScriptedLoop loop;
    const auto server =
        ControlServer::listen(loop, path_, [](std::string_view, uid_t) { return std::string("ok"); });
    ASSERT_TRUE(server) << server.error().text;
    const UniqueFd asker = connect_to(path_);
    {
        const NoDescriptors none;
        const auto ready = loop.on_ready;
        ready(0);
    }
    EXPECT_EQ(loop.watching, 0) << "it rests";
    ASSERT_EQ(loop.alarms.size(), 1U);
    ScriptedLoop::Alarm& rest = *loop.alarms.front();
    const auto fire = [&] {
        rest.armed = false;
        rest.fired();
    };
    ASSERT_TRUE(rest.armed);
    loop.watches_fail = true;
    fire();
    EXPECT_TRUE(rest.armed) << "it tries again";
    loop.watches_fail = false;
    fire();
    EXPECT_EQ(loop.watching, 1);
    EXPECT_FALSE(rest.armed);
}

TEST_F(ControlSocketTest, ADeadAgentsSocketIsReplacedALivingOnesIsNot) {
    serve([](std::string_view, uid_t) { return std::string("first"); });
    const auto second =
        ControlServer::listen(*loop_, path_, [](std::string_view, uid_t) { return std::string(); });
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
}  // namespace holdfast::test
