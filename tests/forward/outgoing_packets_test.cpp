#include "forward/outgoing_packets.hpp"

#include <gtest/gtest.h>

#include "broker/packet.hpp"

namespace holdfast {
namespace {

using test::MqttVersion;

std::string message(std::uint16_t id, bool dup, MqttVersion version = MqttVersion::v5) {
    test::Packet packet{.type = test::PacketType::publish, .dup = dup, .qos = 1, .id = id};
    packet.topic = "plant/one";
    packet.payload = "x";
    return encode_packet(packet, version);
}

// Written at once, whatever it was.
std::string sent(OutgoingPackets& outgoing, const std::string& packet) {
    std::string bytes(outgoing.next(packet));
    outgoing.written(packet);
    return bytes;
}

TEST(OutgoingPackets, ShortensNothingUntilAliasesAreOffered) {
    OutgoingPackets outgoing;
    EXPECT_EQ(sent(outgoing, message(1, false)), message(1, false));
    outgoing.use_aliases(1, 0);
    EXPECT_NE(sent(outgoing, message(2, false)), message(2, false));
    EXPECT_LT(sent(outgoing, message(3, false)).size(), message(3, false).size());
}

TEST(OutgoingPackets, GoesOnWithTheBytesThatWereBegun) {
    OutgoingPackets outgoing;
    EXPECT_EQ(outgoing.next(message(1, false)), message(1, false));
    outgoing.blocked();
    outgoing.use_aliases(1, 0);
    EXPECT_EQ(sent(outgoing, message(1, false)), message(1, false));

    const std::string begun(outgoing.next(message(2, false)));
    EXPECT_NE(begun, message(2, false));
    outgoing.blocked();
    EXPECT_EQ(outgoing.next(message(2, false)), begun);
    outgoing.blocked();
    EXPECT_EQ(sent(outgoing, message(2, false)), begun);
    EXPECT_NE(sent(outgoing, message(3, false)), begun);
}

TEST(OutgoingPackets, TellsARepetitionFromTheFirstTimeOverThisConnection) {
    for (const auto version : {MqttVersion::v5, MqttVersion::v3_1_1}) {
        OutgoingPackets outgoing;
        const std::string resumed = message(7, true, version);
        EXPECT_FALSE(outgoing.repeats(resumed));
        (void)outgoing.next(resumed);
        outgoing.blocked();
        EXPECT_FALSE(outgoing.repeats(resumed));
        outgoing.written(resumed);
        EXPECT_TRUE(outgoing.repeats(resumed));
        EXPECT_FALSE(outgoing.repeats(message(7, false, version)));
        EXPECT_FALSE(outgoing.repeats(message(8, true, version)));
    }
}

}  // namespace
}  // namespace holdfast
