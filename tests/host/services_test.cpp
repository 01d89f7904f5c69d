// What a plugin's host accepts and refuses, through the C table that the plugin sees, read back at the
// daemon's end.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <string>

#include "host/services.hpp"
#include "support/fake_clock.hpp"

namespace holdfast::host {
namespace {

using test::FakeClock;

class ServicesTest : public testing::Test {
  protected:
    ServicesTest() {
        std::array<int, 2> pair{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()), 0);
        outlet_.emplace(UniqueFd(pair[0]));
        daemon_ = UniqueFd(pair[1]);
        frame::Configure configuration;
        configuration.sensor_root = "/fixture";
        configuration.interval_us = 5'000'000;
        configuration.options = {{"text", std::string("words")},
                                 {"number", std::int64_t{7}},
                                 {"ratio", 0.5},
                                 {"flag", true},
                                 {"list", std::vector<std::string>{"a", "b"}},
                                 {"map", Tags{{"k", "v"}}}};
        services_.emplace(*outlet_, clock_, configuration);
        table_ = &services_->table();
    }

    std::int32_t declare(const std::string& name, std::uint32_t type, const std::string& unit = "") {
        const holdfast_channel channel{sizeof channel, type, name.c_str(), unit.c_str()};
        return table_->channel(table_, &channel);
    }
    std::int32_t emit(std::vector<holdfast_value> values, std::int64_t age_us = 0, std::int64_t boot_time_us = 0) {
        holdfast_reading reading{};
        reading.size = sizeof reading;
        reading.value_count = static_cast<std::uint32_t>(values.size());
        reading.values = values.data();
        reading.age_us = age_us;
        reading.boot_time_us = boot_time_us;
        return table_->emit(table_, &reading);
    }
    std::int32_t emit_text(std::uint32_t channel, const std::string& text) {
        holdfast_value value{channel, HOLDFAST_STRING, {}};
        value.as.string = {text.data(), text.size()};
        return emit({value});
    }
    static holdfast_value f64(std::uint32_t channel, double number) {
        holdfast_value value{channel, HOLDFAST_F64, {}};
        value.as.f64 = number;
        return value;
    }
    // The next frame that left, if one did.
    std::string next_frame() {
        std::string bytes(frame::max_bytes, '\0');
        const ssize_t size = ::recv(daemon_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return bytes;
    }
    // Reads all readings that left, as "channel=value;" texts with their time.
    std::size_t read_readings() {
        std::size_t count = 0;
        for (std::string bytes = next_frame(); !bytes.empty(); bytes = next_frame()) {
            const auto frame = frame::decode_from_host(bytes);
            if (!frame || !std::holds_alternative<frame::Readings>(*frame)) continue;
            reader_.feed(std::get<frame::Readings>(*frame).segment);
            for (auto more = reader_.next(); more && *more; more = reader_.next()) {
                ++count;
                last_time_us_ = reader_.reading().time_us;
            }
        }
        return count;
    }

    FakeClock clock_;
    std::optional<Outlet> outlet_;
    UniqueFd daemon_;
    std::optional<Services> services_;
    const holdfast_host* table_ = nullptr;
    ReadingReader reader_;
    std::int64_t last_time_us_ = 0;
};

TEST_F(ServicesTest, GivesTheSameIndexForTheSameChannel) {
    EXPECT_EQ(declare("a", HOLDFAST_F64, "Cel"), 0);
    EXPECT_EQ(declare("b", HOLDFAST_I64), 1);
    EXPECT_EQ(declare("a", HOLDFAST_F64, "Cel"), 0);
}

TEST_F(ServicesTest, RefusesChannelsThatBreakTheRules) {
    EXPECT_EQ(declare("", HOLDFAST_F64), -EINVAL);
    EXPECT_EQ(declare(std::string(257, 'x'), HOLDFAST_F64), -EINVAL);
    EXPECT_EQ(declare("tab\t", HOLDFAST_F64), -EINVAL);
    EXPECT_EQ(declare("caf\xE9", HOLDFAST_F64), -EINVAL);
    EXPECT_EQ(declare("unit", HOLDFAST_F64, std::string(65, 'u')), -EINVAL);
    EXPECT_EQ(declare("type", 4), -EINVAL);
    ASSERT_EQ(declare("a", HOLDFAST_F64), 0);
    EXPECT_EQ(declare("a", HOLDFAST_I64), -EINVAL);
}

TEST_F(ServicesTest, RefusesMoreChannelsThanTheAgentTakes) {
    for (std::size_t i = 0; i < max_channels; ++i) {
        ASSERT_EQ(declare("c" + std::to_string(i), HOLDFAST_F64), static_cast<std::int32_t>(i));
        read_readings();
    }
    EXPECT_EQ(declare("one too many", HOLDFAST_F64), -ENOSPC);
}

TEST_F(ServicesTest, StampsAReadingWithTheBootClockLessItsAge) {
    ASSERT_EQ(declare("a", HOLDFAST_F64), 0);
    ASSERT_EQ(emit({f64(0, 1)}, 1500), 0);
    outlet_->flush();
    ASSERT_EQ(read_readings(), 1u);
    EXPECT_EQ(last_time_us_, clock_.boot_us() - 1500);
}

TEST_F(ServicesTest, TakesAStampOfTheBootClockAsItIs) {
    ASSERT_EQ(declare("a", HOLDFAST_F64), 0);
    const std::int64_t now = clock_.boot_us();
    for (const auto& [boot_time_us, stamped_us] : {std::pair(now - 1500, now - 1500), std::pair(now + 1500, now)}) {
        // Emitted late: an age would count from here.
        ASSERT_EQ(emit({f64(0, 1)}, 700, boot_time_us), 0);
        outlet_->flush();
        ASSERT_EQ(read_readings(), 1u);
        EXPECT_EQ(last_time_us_, stamped_us);
    }
}

TEST_F(ServicesTest, TakesAReadingOfAPluginThatWasBuiltBeforeTheStampCame) {
    ASSERT_EQ(declare("a", HOLDFAST_F64), 0);
    const holdfast_value value = f64(0, 1);
    holdfast_reading reading{};
    reading.size = offsetof(holdfast_reading, boot_time_us);
    reading.value_count = 1;
    reading.values = &value;
    reading.age_us = 1500;
    reading.boot_time_us = 1;  // what lies behind it in memory
    ASSERT_EQ(table_->emit(table_, &reading), 0);
    outlet_->flush();
    ASSERT_EQ(read_readings(), 1u);
    EXPECT_EQ(last_time_us_, clock_.boot_us() - 1500);
}

TEST_F(ServicesTest, RefusesReadingsThatBreakTheRulesAndSendsNothingOfThem) {
    ASSERT_EQ(declare("a", HOLDFAST_F64), 0);
    ASSERT_EQ(declare("s", HOLDFAST_STRING), 1);
    EXPECT_EQ(emit({}), -EINVAL);
    EXPECT_EQ(emit({f64(2, 1)}), -EINVAL);
    EXPECT_EQ(emit({f64(1, 1)}), -EINVAL);
    EXPECT_EQ(emit({f64(0, 1), f64(0, 2)}), -EINVAL);
    EXPECT_EQ(emit({f64(0, 1)}, -1), -EINVAL);
    EXPECT_EQ(emit_text(1, "caf\xE9"), -EINVAL);
    EXPECT_EQ(emit_text(1, std::string(max_string_bytes + 1, 'x')), -EMSGSIZE);
    EXPECT_EQ(emit_text(1, std::string(max_string_bytes, 'x')), 0);
    EXPECT_EQ(emit({f64(0, 1)}), 0);
    outlet_->flush();
    EXPECT_EQ(read_readings(), 2u);
}

TEST_F(ServicesTest, RefusesAReadingLargerThanAFrameMayHold) {
    ASSERT_EQ(declare("s", HOLDFAST_STRING), 0);
    ASSERT_EQ(declare("t", HOLDFAST_STRING), 1);
    const std::string text(50 * 1024, 'x');
    holdfast_value values[2] = {{0, HOLDFAST_STRING, {}}, {1, HOLDFAST_STRING, {}}};
    for (auto& value : values)
        value.as.string = {text.data(), text.size()};
    EXPECT_EQ(emit({values[0], values[1]}), -EMSGSIZE);
    EXPECT_EQ(emit({values[0]}), 0);
}

TEST_F(ServicesTest, SendsAFrameWhenEnoughHasGatheredAndNotBefore) {
    ASSERT_EQ(declare("s", HOLDFAST_STRING), 0);
    ASSERT_EQ(emit_text(0, std::string(20 * 1024, 'x')), 0);
    EXPECT_EQ(next_frame(), "");
    ASSERT_EQ(emit_text(0, std::string(20 * 1024, 'y')), 0);
    EXPECT_EQ(read_readings(), 2u);
}

TEST_F(ServicesTest, SendsWhatIsOlderThanAMomentThoughItIsLittle) {
    ASSERT_EQ(declare("a", HOLDFAST_F64), 0);
    ASSERT_EQ(emit({f64(0, 1)}), 0);
    EXPECT_EQ(next_frame(), "");
    clock_.advance(Micros(50'000));
    ASSERT_EQ(emit({f64(0, 2)}), 0);
    EXPECT_EQ(read_readings(), 2u);
}

TEST_F(ServicesTest, TellsThePluginThatTheDaemonHasGone) {
    ASSERT_EQ(declare("s", HOLDFAST_STRING), 0);
    daemon_.reset();
    EXPECT_EQ(emit_text(0, std::string(40 * 1024, 'x')), -EPIPE);
}

TEST_F(ServicesTest, HandsOutOptionsByTheirType) {
    EXPECT_STREQ(table_->option_string(table_, "text"), "words");
    EXPECT_EQ(table_->option_i64(table_, "number"), 7);
    EXPECT_EQ(table_->option_i64(table_, "flag"), 1);
    EXPECT_EQ(table_->option_f64(table_, "ratio"), 0.5);
    const char* key = "untouched";
    const char* value = nullptr;
    EXPECT_EQ(table_->option_item(table_, "list", 1, &key, &value), 0);
    EXPECT_EQ(key, nullptr);
    EXPECT_STREQ(value, "b");
    EXPECT_EQ(table_->option_item(table_, "list", 2, &key, &value), -ENOENT);
    EXPECT_EQ(table_->option_item(table_, "map", 0, &key, &value), 0);
    EXPECT_STREQ(key, "k");
    EXPECT_STREQ(value, "v");
    EXPECT_STREQ(table_->sensor_root(table_), "/fixture");
    EXPECT_EQ(table_->interval_us(table_), 5'000'000);
}

TEST_F(ServicesTest, CountsErrorsUntilTheyAreTaken) {
    table_->error(table_, "first");
    table_->error(table_, "second");
    const auto errors = services_->take_errors();
    ASSERT_TRUE(errors);
    EXPECT_EQ(errors->count, 2u);
    EXPECT_EQ(errors->text, "second");
    EXPECT_FALSE(services_->take_errors());
}

TEST_F(ServicesTest, WatchesAtMostSixtyFourDescriptors) {
    for (int fd = 0; fd < 64; ++fd)
        ASSERT_EQ(table_->watch(table_, fd, POLLIN), 0);
    EXPECT_EQ(table_->watch(table_, 64, POLLIN), -ENOSPC);
    EXPECT_EQ(table_->watch(table_, 7, POLLOUT), 0);
    EXPECT_EQ(table_->watch(table_, 8, 0), 0);
    EXPECT_EQ(table_->watch(table_, 64, POLLIN), 0);
    EXPECT_EQ(services_->watched().size(), 64u);
}

}  // namespace
}  // namespace holdfast::host
