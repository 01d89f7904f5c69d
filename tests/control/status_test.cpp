#include "control/status.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace holdfast {
namespace {

AgentStatus sample() {
    AgentStatus status;
    status.agent = "gw-17";
    status.version = "0.1.0";
    status.wall_us = 1'795'371'200'000'000;
    status.uptime_s = 63;
    status.forward = {BrokerState::waiting,
                      "mqtts://broker:8883",
                      1'795'371'137'000'000,
                      "connection \"refused\"\n",
                      2,
                      10,
                      9,
                      3,
                      1,
                      4};
    status.buffer.batches = 5;
    status.buffer.readings = 50;
    status.buffer.in_memory_readings = 20;
    status.buffer.committed_readings = 30;
    status.buffer.oldest_wall_us = 1'795'371'137'123'456;
    InputStatus input;
    input.name = "host";
    input.plugin = "system";
    input.state = InputState::backing_off;
    input.missed = 17;
    input.last_error = std::string("bad byte \xff");
    status.inputs.push_back(input);
    return status;
}

TEST(Status, JsonHasTheContractedMembers) {
    const auto json = nlohmann::json::parse(status_json(sample()));
    EXPECT_EQ(json["agent"], "gw-17");
    EXPECT_EQ(json["uptime_s"], 63);
    EXPECT_EQ(json["broker"]["state"], "waiting");
    EXPECT_EQ(json["broker"]["last_error"], "connection \"refused\"\n");
    EXPECT_EQ(json["broker"]["since"], 1'795'371'137'000);
    EXPECT_EQ(json["buffer"]["oldest_ts"], 1'795'371'137'123);
    EXPECT_EQ(json["buffer"]["readings"], 50);
    EXPECT_EQ(json["forward"]["acked_messages"], 3);
    EXPECT_EQ(json["inputs"][0]["state"], "backing_off");
    EXPECT_EQ(json["inputs"][0]["missed"], 17);
    EXPECT_TRUE(json["inputs"][0]["last_reading_ts"].is_null());
}

TEST(Status, BufferJsonIsTheBufferObjectOfTheStatus) {
    const auto whole = nlohmann::json::parse(status_json(sample()));
    EXPECT_EQ(nlohmann::json::parse(buffer_json(sample().buffer)), whole["buffer"]);
}

TEST(Status, TextSaysWhatIsWrong) {
    const std::string text = status_text(sample());
    EXPECT_NE(text.find("waiting mqtts://broker:8883 for 63 s"), std::string::npos) << text;
    EXPECT_NE(text.find("50 readings in 5 batches (30 on disk, 20 in memory)"), std::string::npos) << text;
    EXPECT_NE(text.find("last error: connection"), std::string::npos) << text;
    EXPECT_NE(text.find("0 errors, 17 missed, 0 restarts"), std::string::npos) << text;
}

TEST(Status, TellsWhatIsKnownOfTheTlsConnectionAndItsCertificates) {
    AgentStatus status = sample();
    EXPECT_TRUE(
        nlohmann::json::parse(status_json(status))["broker"]["tls"]["client_days_to_expiry"].is_null());
    constexpr std::int64_t day_us = 86'400'000'000;
    status.wall_us = 1'795'371'137'000'000;
    status.forward.tls =
        TlsSession{"TLSv1.3", "TLS_AES_256_GCM_SHA384", "broker.example", status.wall_us + 10 * day_us};
    status.forward.client_not_after_wall_us = status.wall_us - 1;
    status.forward.files_error = "no key";
    const auto json = nlohmann::json::parse(status_json(status));
    EXPECT_EQ(json["broker"]["tls"], nlohmann::json::parse(R"({"protocol":"TLSv1.3",
        "cipher":"TLS_AES_256_GCM_SHA384","server_name":"broker.example","server_days_to_expiry":10,
        "client_days_to_expiry":-1,"files_error":"no key"})"));
    const std::string text = status_text(status);
    EXPECT_NE(text.find("our certificate has expired on 2026-11-22"), std::string::npos) << text;
    EXPECT_NE(text.find("the server's certificate expires on 2026-12-02"), std::string::npos) << text;
    EXPECT_NE(text.find("files not used: no key"), std::string::npos) << text;
}

TEST(Status, TextSaysNothingOfMissedSamplesWhenThereWereNone) {
    AgentStatus status = sample();
    status.inputs[0].missed = 0;
    EXPECT_EQ(status_text(status).find("missed"), std::string::npos);
}

TEST(Status, TextSaysThatNoServerIsConfigured) {
    AgentStatus status = sample();
    status.forward = {};
    EXPECT_NE(status_text(status).find("no server is configured"), std::string::npos);
    EXPECT_NE(status_line(status).find("no server configured; 50 readings held"), std::string::npos);
}

}  // namespace
}  // namespace holdfast
