// Which values each key takes, and how a problem reads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/support.hpp"
#include "support/temp_dir.hpp"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ConfigValues, AreTheDefaultsWhenNothingIsSet) {
    const Config config = loaded("");
    EXPECT_FALSE(config.agent.id.empty());
    EXPECT_EQ(config.agent.log_level, LogLevel::info);
    BrokerConfig broker;
    broker.client_id = config.agent.id;
    broker.status_topic = "holdfast/" + config.agent.id + "/status";
    broker.tls.ca_file = "/etc/ssl/certs/ca-certificates.crt";
    EXPECT_EQ(config.broker, broker);
    EXPECT_EQ(config.buffer, BufferConfig{});
    EXPECT_EQ(config.batch, BatchConfig{});
    EXPECT_THAT(config.inputs, IsEmpty());
}

TEST(ConfigValues, AreReadFromEverySection) {
    const Config config = loaded(R"(
[agent]
id = "gw-17"
tags = { site = "plant-3" }
log_level = "debug"
[broker]
servers = ["mqtt://a.example", "wss://b.example:444/x"]
client_id = "other"
username = "user"
proxy = "http://proxy.example:3128"
proxy_username = "me"
proxy_password_file = "/etc/passwd"
protocol = "3.1.1"
keep_alive = "1m"
connect_timeout = "1500ms"
qos = 2
retain = true
topic = "t/{agent}/{tag:site}/{input}"
status_topic = "s/{agent}/{tag:site}"
max_in_flight = 7
ack_timeout = "5s"
backoff_initial = "100ms"
backoff_max = "1h"
[broker.tls]
alpn = ["mqtt", "x-amzn-mqtt-ca"]
min_version = "1.3"
verify = false
insecure = true
[buffer]
durability = "strict"
max_size = "1MiB"
min_free = "10MiB"
max_age = "7d"
when_full = "thin"
memory = "1MB"
commit_interval = "0s"
spill_after = "10ms"
drain = "oldest_first"
drain_rate = 500
[batch]
max_readings = 1
max_bytes = "1KiB"
max_delay = "0s"
timestamp_unit = "ns"
[[input]]
name = "host"
plugin = "plain"
interval = "250ms"
tags = { room = "b2" }
priority = "high"
deadline = "20s"
memory_limit = "64MiB"
)");
    EXPECT_EQ(config.agent.id, "gw-17");
    EXPECT_EQ(config.agent.tags, (Tags{{"site", "plant-3"}}));
    EXPECT_EQ(config.agent.log_level, LogLevel::debug);

    const BrokerConfig& broker = config.broker;
    ASSERT_EQ(broker.servers.size(), 2U);
    EXPECT_EQ(broker.servers[1], (Server{Scheme::wss, "b.example", 444, "/x", "wss://b.example:444/x"}));
    EXPECT_EQ(broker.client_id, "other");
    EXPECT_EQ(broker.username, "user");
    EXPECT_EQ(broker.proxy,
              (ProxyConfig{"proxy.example", 3128, "http://proxy.example:3128", "me", "/etc/passwd"}));
    EXPECT_EQ(broker.protocol, Protocol::v3_1_1);
    EXPECT_EQ(broker.keep_alive, 60s);
    EXPECT_EQ(broker.connect_timeout, 1500ms);
    EXPECT_EQ(broker.qos, 2);
    EXPECT_TRUE(broker.retain);
    EXPECT_EQ(broker.topic, "t/{agent}/{tag:site}/{input}");
    EXPECT_EQ(broker.status_topic, "s/gw-17/plant-3");
    EXPECT_EQ(broker.max_in_flight, 7U);
    EXPECT_EQ(broker.ack_timeout, 5s);
    EXPECT_EQ(broker.backoff_initial, 100ms);
    EXPECT_EQ(broker.backoff_max, 1h);
    EXPECT_THAT(broker.tls.alpn, ElementsAre("mqtt", "x-amzn-mqtt-ca"));
    EXPECT_EQ(broker.tls.min_version, TlsConfig::Version::v1_3);
    EXPECT_FALSE(broker.tls.verify);

    EXPECT_EQ(config.buffer,
              (BufferConfig{Durability::strict, mebibytes(1), mebibytes(10), 7 * 24h, WhenFull::thin,
                            Bytes{1'000'000}, Micros(0), 10ms, Drain::oldest_first, 500}));
    EXPECT_EQ(config.batch, (BatchConfig{1, kibibytes(1), Micros(0), TimestampUnit::nanoseconds}));
    ASSERT_EQ(config.inputs.size(), 1U);
    EXPECT_EQ(config.inputs[0],
              (InputConfig{
                  "host", "plain", 250ms, {{"room", "b2"}}, Priority::high, {}, Micros(20s), mebibytes(64)}));
}

TEST(ConfigValues, AgentIdStandsForTheClientId) {
    EXPECT_EQ(loaded("[agent]\nid = \"gw\"").broker.client_id, "gw");
}

TEST(ConfigValues, EmptyStatusTopicTurnsTheStatusOff) {
    EXPECT_EQ(loaded("[broker]\nstatus_topic = \"\"").broker.status_topic, "");
}

struct Wrong {
    const char* text;
    const char* problem;  // how its line begins
};

class ConfigProblems : public testing::TestWithParam<Wrong> {};

TEST_P(ConfigProblems, NameThePlaceAndWhatIsExpected) {
    const auto found = problems(GetParam().text);
    ASSERT_EQ(found.size(), 1U) << testing::PrintToString(found);
    EXPECT_THAT(found[0], testing::StartsWith(std::string("test.toml:") + GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(
    Types, ConfigProblems,
    testing::Values(
        Wrong{"agent = 3", "1:9: error: agent: expected a table, found the integer 3"},
        Wrong{"[agent]\nid = 17", "2:6: error: id: expected a string, found the integer 17"},
        Wrong{"[agent]\ntags = \"x\"", "2:8: error: tags: expected a table of strings, found \"x\""},
        Wrong{"[agent]\ntags = { a = 1.5 }", "2:14: error: tags: expected a string, found the number 1.5"},
        Wrong{"[broker]\nservers = \"mqtt://h\"",
              "2:11: error: servers: expected an array of strings, found a single one: put it in brackets"},
        Wrong{"[broker]\nservers = [\"mqtt://h\",\n  2]",
              "3:3: error: servers: expected a string, found the integer 2"},
        Wrong{"[broker]\nqos = \"1\"", "2:7: error: qos: expected an integer from 0 to 2, found \"1\""},
        Wrong{"[broker]\nretain = 1", "2:10: error: retain: expected true or false, found the integer 1"},
        Wrong{"[broker]\nkeep_alive = 30",
              "2:14: error: keep_alive: expected a duration such as \"10s\" or \"1h30m\" from 1s "
              "to 18h12m15s in whole seconds, found the integer 30"},
        Wrong{"[buffer]\nmax_size = 1979-05-27",
              "2:12: error: max_size: expected a size such as \"64KiB\" or \"256MiB\" from "
              "1MiB to 16TiB, found a date or time"},
        Wrong{"[buffer]\ndrain = []",
              "2:9: error: drain: expected live_first or oldest_first, found an array"},
        Wrong{"[input]\nname = \"x\"",
              "1:1: error: input: expected tables, each under [[input]], found a table"},
        Wrong{"input = [1]",
              "1:10: error: input: expected tables, each under [[input]], found the integer 1"}));

INSTANTIATE_TEST_SUITE_P(
    Ranges, ConfigProblems,
    testing::Values(
        Wrong{"[broker]\nqos = 3", "2:7: error: qos: expected an integer from 0 to 2, found the integer 3"},
        Wrong{"[broker]\nqos = -1", "2:7: error: qos: expected an integer from 0 to 2"},
        Wrong{"[broker]\nmax_in_flight = 0",
              "2:17: error: max_in_flight: expected an integer from 1 to 65535"},
        Wrong{"[broker]\nmax_in_flight = 4294967297",
              "2:17: error: max_in_flight: expected an integer from 1 to 65535"},
        Wrong{"[broker]\nkeep_alive = \"0s\"", "2:14: error: keep_alive: expected a duration"},
        Wrong{"[broker]\nkeep_alive = \"1500ms\"", "2:14: error: keep_alive: expected a duration"},
        Wrong{"[broker]\nkeep_alive = \"65536s\"", "2:14: error: keep_alive: expected a duration"},
        Wrong{"[broker]\nconnect_timeout = \"100001us\"",
              "2:19: error: connect_timeout: expected a duration such as \"10s\" or "
              "\"1h30m\" from 100ms to 10m in whole milliseconds"},
        Wrong{"[broker]\nack_timeout = \"soon\"", "2:15: error: ack_timeout: expected a duration"},
        Wrong{"[broker]\nbackoff_max = \"2d\"", "2:15: error: backoff_max: expected a duration"},
        Wrong{"[broker]\nbackoff_initial = \"10s\"\nbackoff_max = \"5s\"",
              "3:15: error: backoff_max: backoff_max must not be shorter than backoff_initial"},
        Wrong{"[broker]\nbackoff_initial = \"10m\"",
              "2:19: error: backoff_initial: backoff_max must not be shorter than backoff_initial"},
        Wrong{"[broker]\nprotocol = \"4\"", "2:12: error: protocol: expected auto, 5 or 3.1.1, found \"4\""},
        Wrong{"[broker.tls]\nmin_version = \"1.1\"", "2:15: error: min_version: expected 1.2 or 1.3"},
        Wrong{"[buffer]\nmax_size = \"1MB\"", "2:12: error: max_size: expected a size"},
        Wrong{"[buffer]\nmax_size = \"64\"", "2:12: error: max_size: expected a size"},
        Wrong{"[buffer]\ndurability = \"Strict\"", "2:14: error: durability: expected offline or strict"},
        Wrong{"[buffer]\ndrain_rate = -5", "2:14: error: drain_rate: expected an integer from 0"},
        Wrong{"[batch]\nmax_readings = 0", "2:16: error: max_readings: expected an integer from 1"},
        Wrong{"[batch]\ntimestamp_unit = \"min\"", "2:18: error: timestamp_unit: expected s, ms, us or ns"}));

INSTANTIATE_TEST_SUITE_P(
    Texts, ConfigProblems,
    testing::Values(
        Wrong{"[agent]\nid = \"\"", "2:6: error: id: expected 1 to 256 bytes"},
        Wrong{"[agent]\nid = \"a+b\"", "2:6: error: id: must not have +, # or /"},
        Wrong{"[agent]\nid = \"#\"", "2:6: error: id: must not have +, # or /"},
        Wrong{"[agent]\nid = \"a/b\"", "2:6: error: id: must not have +, # or /"},
        Wrong{"[agent]\nid = \"a\\nb\"",
              "2:6: error: id: expected 1 to 256 bytes of UTF-8 without control characters"},
        Wrong{"[agent]\nid = \"a\\u0000b\"", "2:6: error: a string must not hold a NUL character"},
        Wrong{"[agent]\ntags = { \"\" = \"x\" }", "2:10: error: tags: key: expected 1 to 256 bytes"},
        Wrong{"[agent]\ntags = { a = \"\\t\" }", "2:14: error: tags: expected 0 to 256 bytes"},
        Wrong{"[broker]\nclient_id = \"\"\nqos = 2", "2:13: error: client_id: QoS 2 needs a client id"},
        Wrong{"[broker]\nusername = \"\\u0007\"", "2:12: error: username: expected 0 to 65535 bytes"},
        Wrong{"[broker.tls]\nalpn = [\"mqtt\", \"\"]", "2:17: error: alpn: expected 1 to 255 bytes"},
        Wrong{"[broker]\nservers = [\"mqtts://u:p@h\"]",
              "2:12: error: servers: user name and password do not belong here"},
        Wrong{"[broker]\nservers = [\n  \"mqtt://h\",\n  \"http://h\"]",
              "4:3: error: servers: the scheme has to be mqtt"}));

INSTANTIATE_TEST_SUITE_P(
    Keys, ConfigProblems,
    testing::Values(
        Wrong{"[brokr]\nqos = 1",
              "1:2: error: unknown key \"brokr\" at the top level; did you mean \"broker\"?"},
        Wrong{"[broker]\n  server = []",
              "2:3: error: unknown key \"server\" in [broker]; did you mean \"servers\"?"},
        Wrong{"[broker.tls]\nca = \"x\"\n",
              "2:1: error: unknown key \"ca\" in [broker.tls]; it takes ca_file, cert_file"},
        Wrong{"[batch]\ncolour = 1",
              "2:1: error: unknown key \"colour\" in [batch]; it takes max_readings, max_bytes, max_delay or "
              "timestamp_unit"},
        Wrong{"[[input]]\nname = \"a\"\nplugin = \"plain\"\nintervall = \"1s\"",
              "4:1: error: unknown key \"intervall\" in [[input]]; did you mean \"interval\"?"},
        Wrong{"[[input]]\nname = \"a\"", "1:1: error: \"plugin\" is missing in [[input]]"},
        Wrong{"\n[[input]]\nplugin = \"plain\"", "2:1: error: \"name\" is missing in [[input]]"},
        Wrong{"[[input]]\nname = \"a\"\nplugin = \"plain\"\n[[input]]\nname = \"a\"\nplugin = \"plain\"",
              "5:8: error: name: \"a\" is taken by the input at test.toml:2"},
        Wrong{"[[input]]\nname = \"a\"\nplugin = \"nope\"",
              "3:10: error: plugin: there is no plugin \"nope\""}));

INSTANTIATE_TEST_SUITE_P(
    Topics, ConfigProblems,
    testing::Values(Wrong{"[broker]\ntopic = \"\"", "2:9: error: topic: a topic must not be empty"},
                    Wrong{"[broker]\ntopic = \"a/#\"",
                          "2:9: error: topic: a topic to publish on must not have a wildcard"},
                    Wrong{"[broker]\ntopic = \"a/{gent}\"", "2:9: error: topic: unknown placeholder {gent}"},
                    Wrong{"[broker]\ntopic = \"a/{agent\"", "2:9: error: topic: unpaired brace"},
                    Wrong{"[broker]\nstatus_topic = \"s/{input}\"",
                          "2:16: error: status_topic: {input} has no meaning here"},
                    Wrong{"[broker]\nstatus_topic = \"s/{tag:site}\"",
                          "2:16: error: status_topic: no tag \"site\""},
                    Wrong{"[broker]\ntopic = \"{tag:room}\"\n[[input]]\nname = \"a\"\nplugin = "
                          "\"plain\"\ntags = { room = \"b\" }\n"
                          "[[input]]\nname = \"b\"\nplugin = \"plain\"",
                          "2:9: error: topic: of input \"b\": no tag \"room\""},
                    Wrong{"[broker]\ntopic = \"x/{tag:room}\"\n[[input]]\nname = \"a\"\nplugin = "
                          "\"plain\"\ntags = { room = \"+\" }",
                          "2:9: error: topic: of input \"a\": \"x/+\" is no topic name"},
                    Wrong{"[broker]\ntopic = \"{agent}/{input}\"\nstatus_topic = "
                          "\"{agent}/s\"\n[[input]]\nname = \"s\"\nplugin = \"plain\"\n"
                          "[agent]\nid = \"g\"",
                          "2:9: error: topic: of input \"s\" is \"g/s\", the status topic"}));

INSTANTIATE_TEST_SUITE_P(
    Tls, ConfigProblems,
    testing::Values(Wrong{"[broker.tls]\nverify = false",
                          "2:10: error: verify: false lets anyone pose as the broker"},
                    Wrong{"[broker.tls]\nverify = false\ninsecure = false",
                          "2:10: error: verify: false lets anyone pose as the broker"},
                    Wrong{"[broker.tls]\nca_file = \"absent.crt\"", "2:11: error: ca_file: cannot read "},
                    Wrong{"[broker.tls]\nca_file = \"/\"", "2:11: error: ca_file: / is a directory"},
                    Wrong{"[broker.tls]\ncert_file = \"/etc/passwd\"",
                          "2:13: error: cert_file: a certificate needs its key"},
                    Wrong{"[broker.tls]\nkey_file = \"/etc/passwd\"",
                          "2:12: error: key_file: a key needs its certificate"},
                    Wrong{"[broker.tls]\nkey_password_file = \"/etc/passwd\"",
                          "2:21: error: key_password_file: there is no key"},
                    Wrong{"[broker]\nusername = \"u\"\npassword_file = \"absent\"",
                          "3:17: error: password_file: cannot read "},
                    Wrong{"[broker]\nusername = \"\"\npassword_file = \"/etc/passwd\"",
                          "3:17: error: password_file: a password needs a username"},
                    Wrong{"[broker]\npassword_file = \"/etc/passwd\"",
                          "2:17: error: password_file: a password needs a username"}));

INSTANTIATE_TEST_SUITE_P(
    Proxy, ConfigProblems,
    testing::Values(
        Wrong{"[broker]\nproxy = \"https://h:3128\"", "2:9: error: proxy: a proxy is written as http://"},
        Wrong{"[broker]\nproxy_username = \"u\"", "2:18: error: proxy_username: there is no proxy"},
        Wrong{"[broker]\nproxy = \"http://h:1\"\nproxy_username = \"a:b\"",
              "3:18: error: proxy_username: must not have a colon"},
        Wrong{"[broker]\nproxy = \"http://h:1\"\nproxy_password_file = \"/etc/passwd\"",
              "3:23: error: proxy_password_file: a password needs a user name"}));

TEST(ConfigProblems, ComeAllAtOnceInTheOrderOfTheFile) {
    EXPECT_THAT(
        problems("[broker]\nqos = 9\nretain = 0\n[agent]\nlog_level = \"loud\"\n[[input]]\nname = \"a/b\"\n"),
        ElementsAre(HasSubstr(":2:7: error: qos"), HasSubstr(":3:10: error: retain"),
                    HasSubstr(":5:13: error: log_level"), HasSubstr(":6:1: error: \"plugin\" is missing"),
                    HasSubstr(":7:8: error: name")));
}

TEST(ConfigProblems, ShortenLongValues) {
    const auto found = problems("[broker]\nprotocol = \"" + std::string(59, 'x') + "\xc3\xa4" +
                                std::string(500, 'y') + "\"");
    ASSERT_EQ(found.size(), 1U);
    EXPECT_THAT(found[0], testing::EndsWith("found \"" + std::string(59, 'x') + "...\""));
}

TEST(ConfigProblems, AreOneLineEach) {
    EXPECT_THAT(problems("[broker]\nprotocol = \"a\\nb\\u001b[1m\"\n\"x\\ty\" = 1"),
                ElementsAre(HasSubstr("found \"a b [1m\""), HasSubstr("unknown key \"x y\"")));
}

TEST(ConfigProblems, NeverRepeatAServersPassword) {
    for (const char* const servers :
         {"\"mqtts://u:secret@h\"", "[\"mqtts://u:secret@h\"]", "[\"u:secret@h\"]"}) {
        const auto found = problems("[broker]\nservers = " + std::string(servers));
        EXPECT_THAT(found, ElementsAre(testing::Not(HasSubstr("secret")))) << servers;
    }
}

TEST(ConfigProblems, NameAnInputWhoseTopicIsTheStatusTopicByDefault) {
    EXPECT_THAT(
        problems("[agent]\nid = \"g\"\n[[input]]\nname = \"status\"\nplugin = \"plain\""),
        ElementsAre(HasSubstr("topic: of input \"status\" is \"holdfast/g/status\", the status topic")));
}

TEST(ConfigValues, KeepTheOrderOfTheFile) {
    EXPECT_EQ(loaded("[agent.tags]\nz = \"1\"\na = \"2\"\nm = \"3\"").agent.tags,
              (Tags{{"z", "1"}, {"a", "2"}, {"m", "3"}}));
}

TEST(ConfigProblems, CountTheAgentsTags) {
    std::string text = "[agent.tags]\n";
    for (int i = 0; i < 65; ++i)
        text += "t" + std::to_string(i) + " = \"\"\n";
    EXPECT_THAT(problems(text), ElementsAre("test.toml:1:1: error: tags: expected at most 64, found 65"));
}

TEST(ConfigProblems, CountTheTagsOfAgentAndInputTogether) {
    std::string text = "[agent.tags]\n";
    for (int i = 0; i < 64; ++i)
        text += "t" + std::to_string(i) + " = \"\"\n";
    text += "[[input]]\nname = \"a\"\nplugin = \"plain\"\ntags = { t1 = \"x\" }\n";
    EXPECT_THAT(problems(text), IsEmpty());
    EXPECT_THAT(
        problems(text + "u = { }\n[[input]]\nname = \"b\"\nplugin = \"plain\"\ntags = { u = \"x\" }\n"),
        ElementsAre(HasSubstr("unknown key \"u\""),
                    HasSubstr("tags: expected at most 64 with those of [agent], found 65")));
}

TEST(ConfigValues, PasswordAloneIsForMqtt5) {
    EXPECT_EQ(loaded("[broker]\nprotocol = \"5\"\npassword_file = \"/etc/passwd\"").broker.password_file,
              "/etc/passwd");
}

TEST(ConfigValues, EmptyPathsAreNotSet) {
    EXPECT_THAT(problems("[broker]\npassword_file = \"\"\n[broker.tls]\nca_file = \"\"\ncert_file = "
                         "\"\"\nkey_file = \"\"\n"
                         "key_password_file = \"\""),
                IsEmpty());
}

}  // namespace
}  // namespace holdfast::test
