#include "config/sections.hpp"

#include <algorithm>
#include <limits>

#include <unistd.h>

#include <array>

#include "config/broker.hpp"
#include "config/inputs.hpp"
#include "config/section.hpp"

namespace holdfast::config {
namespace {

using namespace std::chrono_literals;

std::string host_name() {
    std::array<char, 257> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

AgentConfig read_agent(Section section) {
    AgentConfig agent;
    agent.id = section.text("id", check_name, {});
    if (!section.has("id")) {
        agent.id = host_name();
        if (!check_name(agent.id))
            section.problem("id", "the host name can't stand for it: set it under [agent]");
    }
    agent.tags = section.text_map("tags", check_tag_value);
    if (agent.tags.size() > max_tags)
        section.problem("tags", "expected at most " + std::to_string(max_tags) + ", found " +
                                    std::to_string(agent.tags.size()));
    agent.log_level = section.choice("log_level",
                                     {{"debug", LogLevel::debug},
                                      {"info", LogLevel::info},
                                      {"warning", LogLevel::warning},
                                      {"error", LogLevel::error}},
                                     agent.log_level);
    section.finish();
    return agent;
}

BufferConfig read_buffer(Section section) {
    BufferConfig buffer;
    buffer.durability = section.choice(
        "durability", {{"offline", Durability::offline}, {"strict", Durability::strict}}, buffer.durability);
    buffer.max_size = section.size("max_size", mebibytes(1), mebibytes(16 << 20), buffer.max_size);
    const Bytes min_free = section.size("min_free", Bytes{0}, mebibytes(16 << 20), Bytes{0});
    if (section.has("min_free")) buffer.min_free = min_free;
    buffer.max_age = section.duration("max_age", 1s, 24h * 36'500, buffer.max_age);
    buffer.when_full = section.choice("when_full",
                                      {{"drop_oldest", WhenFull::drop_oldest},
                                       {"drop_newest", WhenFull::drop_newest},
                                       {"thin", WhenFull::thin},
                                       {"block", WhenFull::block}},
                                      buffer.when_full);
    buffer.memory = section.size("memory", kibibytes(64), mebibytes(65'536), buffer.memory);
    buffer.commit_interval =
        section.duration("commit_interval", Micros(0), Micros(1h), buffer.commit_interval);
    buffer.spill_after = section.duration("spill_after", Micros(0), Micros(1h), buffer.spill_after);
    buffer.drain = section.choice(
        "drain", {{"live_first", Drain::live_first}, {"oldest_first", Drain::oldest_first}}, buffer.drain);
    buffer.drain_rate = section.integer("drain_rate", 0, 1'000'000'000, buffer.drain_rate);
    section.finish();
    return buffer;
}

BatchConfig read_batch(Section section) {
    BatchConfig batch;
    batch.max_readings = section.integer("max_readings", 1, 100'000, batch.max_readings);
    batch.max_bytes = section.size("max_bytes", Bytes{64}, mebibytes(64), batch.max_bytes);
    batch.max_delay = section.duration("max_delay", Micros(0), Micros(24h), batch.max_delay);
    batch.timestamp_unit = section.choice("timestamp_unit",
                                          {{"s", TimestampUnit::seconds},
                                           {"ms", TimestampUnit::milliseconds},
                                           {"us", TimestampUnit::microseconds},
                                           {"ns", TimestampUnit::nanoseconds}},
                                          batch.timestamp_unit);
    section.finish();
    return batch;
}

}  // namespace

Config read_config(const Table& root, Report& report, const DescribePlugin& describe,
                   const CheckOptions& check) {
    Section top(report, &root, {}, "at the top level");
    Config config;
    config.agent = read_agent(top.section("agent", "in [agent]"));
    Section broker = top.section("broker", "in [broker]");
    config.broker = read_broker(broker, config.agent);
    config.buffer = read_buffer(top.section("buffer", "in [buffer]"));
    config.batch = read_batch(top.section("batch", "in [batch]"));
    config.inputs =
        read_inputs(top.sections("input", "in [[input]]"), config.agent.tags, describe, check, report);
    top.finish();
    if (config.broker.expire_messages)
        config.broker.message_expiry = static_cast<std::uint32_t>(
            std::min<std::int64_t>(config.buffer.max_age.count(), std::numeric_limits<std::uint32_t>::max()));
    check_topics(broker, config.broker, config.agent, config.inputs);
    return config;
}

}  // namespace holdfast::config
