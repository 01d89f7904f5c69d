#include "base/mailbox.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

namespace holdfast {
namespace {

TEST(Mailbox, GivesAllMessagesInTheOrderTheyWerePosted) {
    Mailbox<int> mailbox;
    for (int i = 0; i < 5; ++i)
        mailbox.post(i);
    std::vector<int> taken{99};
    mailbox.take(taken, std::nullopt);
    EXPECT_EQ(taken, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(Mailbox, ReturnsEmptyHandedAtTheDeadline) {
    Mailbox<int> mailbox;
    std::vector<int> taken{99};
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
    mailbox.take(taken, deadline);
    EXPECT_TRUE(taken.empty());
    EXPECT_GE(std::chrono::steady_clock::now(), deadline);
}

TEST(Mailbox, TakesWhatIsThereEvenAfterTheDeadline) {
    Mailbox<int> mailbox;
    mailbox.post(1);
    std::vector<int> taken;
    mailbox.take(taken, MonoTime::min());
    EXPECT_EQ(taken.size(), 1U);
}

TEST(Mailbox, WakesItsOwner) {
    Mailbox<std::unique_ptr<int>> mailbox;
    const std::jthread poster([&] { mailbox.post(std::make_unique<int>(7)); });
    std::vector<std::unique_ptr<int>> taken;
    mailbox.take(taken, std::nullopt);
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(*taken[0], 7);
}

// An owner that has just been there, and comes for a second message.
TEST(Mailbox, LetsABusyOwnerRestUntilThereAreEnough) {
    Mailbox<int> mailbox;
    std::vector<int> taken;
    std::size_t largest = 0;
    for (int round = 0; round < 100 && largest < 3; ++round) {
        mailbox.take(taken, MonoTime::min(), 3);
        const std::jthread poster([&] {
            for (int i = 0; i < 3; ++i)
                mailbox.post(i);
        });
        mailbox.take(taken, std::nullopt, 3);
        largest = std::max(largest, taken.size());
        for (std::size_t missing = 3 - taken.size(); missing > 0; missing -= taken.size())
            mailbox.take(taken, std::nullopt, missing);
    }
    EXPECT_EQ(largest, 3U);
}

TEST(Mailbox, GivesABusyOwnerFewerThanEnoughInTheEnd) {
    Mailbox<int> mailbox;
    std::vector<int> taken;
    mailbox.take(taken, MonoTime::min(), 1000);
    mailbox.post(1);
    mailbox.take(taken, std::nullopt, 1000);
    EXPECT_EQ(taken, std::vector<int>{1});
}

TEST(Mailbox, LetsNobodyRestWhomSomebodyWaitsFor) {
    Mailbox<int> mailbox;
    const auto time = [&](auto post) {
        const auto began = std::chrono::steady_clock::now();
        std::vector<int> taken;
        for (int i = 0; i < 100; ++i) {
            post(i);
            mailbox.take(taken, std::nullopt, 1000);
        }
        return std::chrono::steady_clock::now() - began;
    };
    const auto at_once = time([&](int i) { mailbox.post_urgent(i); });
    const auto rested = time([&](int i) { mailbox.post(i); });
    EXPECT_LT(2 * at_once, rested);
}

TEST(Mailbox, KeepsTheDeadlineOfABusyOwner) {
    Mailbox<int> mailbox;
    std::vector<int> taken;
    mailbox.take(taken, MonoTime::min(), 1000);
    mailbox.take(taken, MonoTime::min(), 1000);
    EXPECT_TRUE(taken.empty());
}

TEST(Mailbox, LosesNothingOfManyPosters) {
    constexpr int posters = 4;
    constexpr int each = 5000;
    Mailbox<int> mailbox;
    std::vector<std::jthread> threads;
    for (int p = 0; p < posters; ++p)
        threads.emplace_back([&mailbox, p] {
            for (int i = 0; i < each; ++i)
                mailbox.post(p * each + i);
        });
    std::vector<int> last(posters, -1);
    std::vector<int> taken;
    for (int received = 0; received < posters * each; received += static_cast<int>(taken.size())) {
        mailbox.take(taken, std::nullopt);
        for (const int message : taken) {
            int& before = last[static_cast<std::size_t>(message / each)];
            EXPECT_EQ(message % each, before + 1);
            before = message % each;
        }
    }
}

}  // namespace
}  // namespace holdfast
