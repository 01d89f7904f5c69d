#include "broker/packet.hpp"

#include <gtest/gtest.h>

namespace holdfast::test {
namespace {

using namespace std::string_literals;

std::string statement_of(std::string_view bytes, MqttVersion version = MqttVersion::v5) {
    const auto decoded = decode_packet(bytes, version);
    const auto* defect = std::get_if<Defect>(&decoded);
    return defect ? defect->statement : "good";
}

const std::vector<Packet>& some_packets() {
    static const std::vector<Packet> packets = {
        {.type = PacketType::connect,
         .clean_start = true,
         .keep_alive = 30,
         .client_id = "gw",
         .username = "user",
         .password = "secret",
         .will = PacketWill{.topic = "w", .payload = "gone", .qos = 1, .retain = true}},
        {.type = PacketType::connack, .reason = 0x87, .session_present = true},
        {.type = PacketType::publish, .dup = true, .qos = 1, .topic = "t", .payload = "x\0y"s, .id = 65'535},
        {.type = PacketType::publish, .topic = "t", .payload = std::string(200, '#')},
        {.type = PacketType::puback, .id = 1},
        {.type = PacketType::pubrel, .id = 2},
        {.type = PacketType::subscribe, .id = 3, .filters = {{"a/#", 1}}},
        {.type = PacketType::suback, .id = 3, .codes = {1}},
        {.type = PacketType::pingreq},
        {.type = PacketType::disconnect},
    };
    return packets;
}

class PacketVersions : public ::testing::TestWithParam<MqttVersion> {};
INSTANTIATE_TEST_SUITE_P(Broker, PacketVersions, ::testing::Values(MqttVersion::v5, MqttVersion::v3_1_1),
                         [](const auto& i) { return i.param == MqttVersion::v5 ? "mqtt_5" : "mqtt_3_1_1"; });

TEST_P(PacketVersions, IsReadAsItWasWritten) {
    for (const Packet& packet : some_packets()) {
        const auto decoded = decode_packet(encode_packet(packet, GetParam()), GetParam());
        ASSERT_TRUE(std::holds_alternative<Packet>(decoded))
            << name_of(packet.type) << ": " << std::get<Defect>(decoded).text;
        EXPECT_EQ(std::get<Packet>(decoded), packet) << name_of(packet.type);
    }
}

TEST_P(PacketVersions, NoPrefixAndNoLongerPacketIsGood) {
    for (const Packet& packet : some_packets()) {
        const std::string whole = encode_packet(packet, GetParam());
        EXPECT_NE(statement_of(whole.substr(0, whole.size() - 1), GetParam()), "good")
            << name_of(packet.type);
        EXPECT_NE(statement_of(whole + "x", GetParam()), "good") << name_of(packet.type);
    }
}

TEST(BrokerPacket, HasTheBytesOfTheSpecification) {
    const Packet publish{.type = PacketType::publish,
                         .qos = 1,
                         .retain = true,
                         .topic = "a/b",
                         .payload = "hi",
                         .id = 10,
                         .properties = {{property::topic_alias, 5U}}};
    EXPECT_EQ(encode_packet(publish, MqttVersion::v5),
              "\x33\x0D\x00\x03"
              "a/b\x00\x0A\x03\x23\x00\x05hi"s);
    EXPECT_EQ(encode_packet(publish, MqttVersion::v3_1_1),
              "\x33\x09\x00\x03"
              "a/b\x00\x0Ahi"s);
    EXPECT_EQ(encode_packet({.type = PacketType::puback, .id = 10, .reason = 0x87}, MqttVersion::v5),
              "\x40\x03\x00\x0A\x87"s);
}

TEST(BrokerPacket, NamesTheStatementThatIsBroken) {
    EXPECT_EQ(statement_of("\xC1\x00"s), "MQTT5 2.1.3-1");
    EXPECT_EQ(statement_of("\xC1\x00"s, MqttVersion::v3_1_1), "MQTT3 2.2.2-1");
    EXPECT_EQ(statement_of("\xC0\x80\x00"s), "MQTT5 1.5.5-1");
    EXPECT_EQ(statement_of("\x36\x06\x00\x01t\x00\x01\x00"s), "MQTT5 3.3.1-4");
    EXPECT_EQ(statement_of("\x30\x04\x00\x01\xFF\x00"s), "MQTT5 1.5.4-1");
    EXPECT_EQ(statement_of("\x30\x04\x00\x01\x00\x00"s), "MQTT5 1.5.4-2");
    EXPECT_EQ(statement_of("\x60\x02\x00\x01"s), "MQTT5 2.1.3-1");
    EXPECT_EQ(statement_of("\x30\x07\x00\x01t\x03\x13\x00\x05"s), "MQTT5 4.13.1-1");
}

}  // namespace
}  // namespace holdfast::test
