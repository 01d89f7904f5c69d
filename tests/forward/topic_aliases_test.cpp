#include "forward/topic_aliases.hpp"

#include <gtest/gtest.h>

#include "broker/packet.hpp"

namespace holdfast {
namespace {

using test::Packet;
using test::PacketType;

Packet message(std::string topic, std::string payload = "x") {
    Packet packet{.type = PacketType::publish, .qos = 1, .id = 7};
    packet.topic = std::move(topic);
    packet.payload = std::move(payload);
    return packet;
}

std::string bytes_of(const Packet& packet) {
    return encode_packet(packet, test::MqttVersion::v5);
}

// What the server gets instead of the packet; the packet itself when it was left alone.
Packet sent(TopicAliases& aliases, const Packet& packet) {
    const std::string bytes = bytes_of(packet);
    auto decoded = decode_packet(aliases.shorten(bytes).value_or(bytes), test::MqttVersion::v5);
    if (const auto* defect = std::get_if<test::Defect>(&decoded)) ADD_FAILURE() << defect->text;
    return std::get<Packet>(std::move(decoded));
}

Packet with_alias(Packet packet, std::uint32_t alias, bool with_topic) {
    packet.properties.push_back({test::property::topic_alias, alias});
    if (!with_topic) packet.topic.clear();
    return packet;
}

TEST(TopicAliases, SendATopicOnceAndThenItsNumber) {
    TopicAliases aliases(2, 0);
    const Packet one = message("plant/one");
    const Packet two = message("plant/two");
    EXPECT_EQ(sent(aliases, one), with_alias(one, 1, true));
    EXPECT_EQ(sent(aliases, two), with_alias(two, 2, true));
    EXPECT_EQ(sent(aliases, one), with_alias(one, 1, false));
    EXPECT_EQ(sent(aliases, two), with_alias(two, 2, false));
}

TEST(TopicAliases, LeaveEverythingElseInTheMessageAsItIs) {
    TopicAliases aliases(1, 0);
    Packet packet = message("plant/one", std::string(300, '#'));
    packet.qos = 2;
    packet.dup = packet.retain = true;
    packet.properties = {{test::property::content_type, "text"}, {test::property::message_expiry, 60U}};
    EXPECT_EQ(sent(aliases, packet), with_alias(packet, 1, true));
    EXPECT_EQ(sent(aliases, packet), with_alias(packet, 1, false));
    packet.qos = 0;
    packet.id = 0;
    packet.dup = false;
    EXPECT_EQ(sent(aliases, packet), with_alias(packet, 1, false));
}

TEST(TopicAliases, AreNoMoreThanTheServerTakes) {
    TopicAliases one(1, 0);
    (void)sent(one, message("plant/one"));
    EXPECT_EQ(sent(one, message("plant/two")), message("plant/two"));
    EXPECT_EQ(sent(one, message("plant/one")).topic, "");
    TopicAliases none(0, 0);
    EXPECT_EQ(sent(none, message("plant/one")), message("plant/one"));
}

TEST(TopicAliases, DoNotMakeAPacketLargerThanTheServerTakes) {
    const Packet packet = message("plant/one");
    const auto size = static_cast<std::uint32_t>(bytes_of(packet).size());
    TopicAliases tight(1, size + 2);
    EXPECT_EQ(sent(tight, packet), packet);
    EXPECT_EQ(sent(tight, packet), packet);
    TopicAliases fits(1, size + 3);
    EXPECT_EQ(sent(fits, packet), with_alias(packet, 1, true));
}

TEST(TopicAliases, DoNotCopyWhatIsLong) {
    TopicAliases aliases(1, 0);
    const std::string shortened = aliases.shorten(bytes_of(message("plant/one"))).value_or("");
    ASSERT_NE(shortened, "");
    EXPECT_EQ(aliases.shorten(bytes_of(message("plant/one", std::string(17'000, '#')))), std::nullopt);
}

TEST(TopicAliases, LeaveAloneWhatIsNoWholePublish) {
    TopicAliases aliases(1, 0);
    const std::string whole = bytes_of(message("plant/one"));
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_EQ(aliases.shorten(whole.substr(0, size)), std::nullopt) << size;
    EXPECT_EQ(aliases.shorten(whole + "more"), std::nullopt);
    EXPECT_EQ(aliases.shorten(bytes_of(Packet{.type = PacketType::pubrel, .id = 7})), std::nullopt);
    EXPECT_EQ(aliases.shorten(bytes_of(message("abc"))), std::nullopt);
}

}  // namespace
}  // namespace holdfast
