// What Paho may see of a broker's packets, and what not.
#include "forward/packet_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

const std::string connack_v5 = "\x20\x03\x00\x00\x00"s;
const std::string connack_v3 = "\x20\x02\x00\x00"s;

// The fault of `bytes` after CONNACK, taken a byte at a time; and the same when they come at once.
std::string fault_of(const std::string& bytes, Protocol protocol = Protocol::v5) {
    PacketCheck slow(protocol);
    PacketCheck quick(protocol);
    const std::string all = (protocol == Protocol::v5 ? connack_v5 : connack_v3) + bytes;
    for (const char& byte : all)
        if (!slow.take({&byte, 1})) break;
    quick.take(all);
    EXPECT_EQ(slow.fault(), quick.fault());
    return slow.fault();
}

TEST(PacketCheck, TakesWhatABrokerMaySend) {
    EXPECT_EQ(fault_of("\x30\x05\x00\x01t\x00p"s), "");
    EXPECT_EQ(fault_of("\x34\x0A\x00\x01t\x00\x07\x02\x01\x01pp"s), "");
    for (const char* type : {"\x40", "\x50", "\x62", "\x70"}) {
        EXPECT_EQ(fault_of(type + "\x02\x00\x07"s), "");
        EXPECT_EQ(fault_of(type + "\x03\x00\x07\x00"s), "");
        EXPECT_EQ(fault_of(type + "\x04\x00\x07\x00\x00"s), "");
        EXPECT_EQ(fault_of(type + "\x0B\x00\x07\x00\x07\x26\x00\x01p\x00\x01q"s), "");
    }
    EXPECT_EQ(fault_of("\x90\x04\x00\x07\x00\x01"s), "");
    EXPECT_EQ(fault_of("\xB0\x04\x00\x07\x00\x00"s), "");
    EXPECT_EQ(fault_of("\xD0\x00\xE0\x00"s), "");
    EXPECT_EQ(fault_of("\xE0\x02\x8B\x00"s), "");
    EXPECT_EQ(
        fault_of("\x30\x04\x00\x01tp\x40\x02\x00\x01\x90\x03\x00\x01\x01\xB0\x02\x00\x01"s, Protocol::v3_1_1),
        "");
}

TEST(PacketCheck, TakesALongPublishWithoutHoldingItsPayload) {
    PacketCheck check(Protocol::v5);
    ASSERT_TRUE(check.take(connack_v5));
    ASSERT_TRUE(check.take("\x30\x84\x80\x80\x02\x00\x01t\x00"s));  // 4 MiB and 4 bytes
    const std::string part(64 * 1024, 'p');
    for (int i = 0; i < 64; ++i)
        ASSERT_TRUE(check.take(part));
    EXPECT_TRUE(check.take("\xD0\x00"s));
}

TEST(PacketCheck, TakesTheRefusalOfABrokerThatIsOlder) {
    PacketCheck check(Protocol::v5);
    EXPECT_TRUE(check.take("\x20\x02\x00\x01"s));
}

TEST(PacketCheck, RefusesPacketsThatABrokerMayNotSend) {
    for (const char* bytes : {"\x00\x00", "\x10\x00", "\x82\x00", "\xA2\x00", "\xC0\x00", "\xF0\x00"})
        EXPECT_THAT(fault_of({bytes, 2}), HasSubstr("may not send")) << bytes;
    EXPECT_THAT(fault_of("\xE0\x00"s, Protocol::v3_1_1), HasSubstr("DISCONNECT"));
    EXPECT_THAT(fault_of(connack_v5), HasSubstr("second CONNACK"));
    PacketCheck check(Protocol::v5);
    EXPECT_FALSE(check.take("\xD0\x00"s));
    EXPECT_THAT(check.fault(), HasSubstr("before CONNACK"));
}

TEST(PacketCheck, RefusesReservedBitsAndLengths) {
    EXPECT_THAT(fault_of("\x41\x02\x00\x07"s), HasSubstr("reserved flags"));
    EXPECT_THAT(fault_of("\x60\x02\x00\x07"s), HasSubstr("reserved flags"));
    EXPECT_THAT(fault_of("\x36\x06\x00\x01t\x00\x07\x00"s), HasSubstr("QoS 3"));
    EXPECT_THAT(fault_of("\x30\xFF\xFF\xFF\xFF\x01"s), HasSubstr("four bytes"));
    EXPECT_THAT(fault_of("\x40\xFF\xFF\xFF\x7F"s), HasSubstr("too long"));
}

TEST(PacketCheck, RefusesBodiesWhoseLengthsAreWrong) {
    for (const std::string& bytes :
         {"\x30\x00"s, "\x30\x04\x00\x7Ftt"s, "\x30\x05\x00\x01t\x7F\x01"s, "\x32\x04\x00\x01t\x00"s,
          "\x40\x01\x00"s, "\x40\x05\x00\x07\x00\x00\x00"s, "\x40\x06\x00\x07\x00\x02\x1F\x00"s,
          "\x40\x05\x00\x07\x00\x01\x2B"s, "\xD0\x01\x00"s, "\x90\x03\x00\x07\x00"s, "\xB0\x03\x00\x07\x00"s,
          "\xE0\x03\x8B\x05\x1F"s, "\x30\x05\x00\x01\xFF\x00p"s, "\x30\x05\x00\x01\x00\x00p"s})
        EXPECT_THAT(fault_of(bytes), HasSubstr("wrong")) << ::testing::PrintToString(bytes);
    EXPECT_THAT(fault_of("\x32\x06\x00\x01t\x00\x00\x00"s), HasSubstr("packet id 0"));
    EXPECT_THAT(fault_of("\x30\x05\x00\x01#\x00p"s), HasSubstr("wildcard"));
    EXPECT_THAT(fault_of("\x40\x03\x00\x07\x00"s, Protocol::v3_1_1), HasSubstr("wrong"));
}

}  // namespace
}  // namespace holdfast
