#include "forward/payload.hpp"

#include <limits>

namespace holdfast {
namespace {

std::int64_t saturating_add(std::int64_t a, std::int64_t b) {
    std::int64_t sum = 0;
    if (!__builtin_add_overflow(a, b, &sum)) return sum;
    return b > 0 ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
}

std::int64_t divide_down(std::int64_t value, std::int64_t divisor) {
    return value / divisor - (value % divisor < 0 ? 1 : 0);
}

void write_tags(JsonWriter& json, std::span<const TagView> tags) {
    if (tags.empty()) return;
    json.raw("\"tags\":").begin_object();
    for (const TagView& tag : tags)
        json.key(tag.key).text(tag.value);
    json.end_object();
}

void write_clock(JsonWriter& json, ClockState clock) {
    if (clock == ClockState::synchronised) return;
    json.key("clock").text(clock == ClockState::corrected ? "corrected" : "unsynchronised");
}

// As the configuration writes durations, in the largest unit that divides it: "10s", "1m", "6h", "1d".
std::string step_text(std::chrono::seconds step) {
    struct Unit {
        std::int64_t seconds;
        char letter;
    };
    constexpr Unit units[] = {{86'400, 'd'}, {3'600, 'h'}, {60, 'm'}};
    for (const Unit& unit : units)
        if (step.count() % unit.seconds == 0)
            return std::to_string(step.count() / unit.seconds) + unit.letter;
    return std::to_string(step.count()) + 's';
}

void write_value(JsonWriter& json, const Value& value) {
    switch (value.type) {
        case ValueType::f64:
            json.number(value.f64);
            break;
        case ValueType::i64:
            json.number(value.i64);
            break;
        case ValueType::boolean:
            json.boolean(value.boolean);
            break;
        case ValueType::string:
            json.text(value.string);
            break;
    }
}

}  // namespace

std::int64_t to_timestamp(std::int64_t wall_us, TimestampUnit unit) {
    switch (unit) {
        case TimestampUnit::seconds:
            return divide_down(wall_us, 1'000'000);
        case TimestampUnit::milliseconds:
            return divide_down(wall_us, 1'000);
        case TimestampUnit::microseconds:
            return wall_us;
        case TimestampUnit::nanoseconds:
            break;
    }
    std::int64_t nanoseconds = 0;
    if (!__builtin_mul_overflow(wall_us, std::int64_t{1'000}, &nanoseconds)) return nanoseconds;
    return wall_us > 0 ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
}

std::string message_id(std::uint64_t epoch, std::uint64_t seq) {
    constexpr std::string_view hex = "0123456789abcdef";
    std::string id;
    for (int shift = 60; shift >= 0; shift -= 4)
        id += hex[(epoch >> shift) & 0x0F];
    id += '-';
    id += std::to_string(seq);
    return id;
}

Result<PayloadEncoder::Payload> PayloadEncoder::encode(const Batch& batch) {
    const auto body = decode_body(batch.header.kind, batch.body);
    if (!body) return body.error();
    return encode(batch.header, *body);
}

PayloadEncoder::PayloadEncoder(PayloadIdentity identity) : identity_(std::move(identity)) {
    JsonWriter(agent_member_).key("agent").text(identity_.agent_id);
}

Result<PayloadEncoder::Payload> PayloadEncoder::encode(const BatchHeader& header, const BatchBody& body) {
    out_.clear();
    JsonWriter json(out_);
    json.begin_object().raw(agent_member_);
    json.key("input").text(header.input);
    json.key("id").text(message_id(identity_.epoch, seq_of_message(header)));
    write_clock(json, header.clock);
    if (header.kind == BatchKind::gap) {
        write_gap(json, header, body.reason);
    } else {
        write_tags(json, body.tags);
        if (header.kind == BatchKind::thinned) json.key("thinned").text(step_text(body.step));
        if (auto written = write_readings(json, header, body.stream); !written) return written.error();
    }
    json.end_object();
    return Payload{out_, json.non_finite()};
}

Result<void> PayloadEncoder::write_readings(JsonWriter& json, const BatchHeader& header,
                                            std::string_view stream) {
    keys_.clear();
    key_ends_.clear();
    ReadingReader reader;
    reader.feed(stream);
    json.raw("\"readings\":").begin_array();
    while (true) {
        const Result<bool> more = reader.next();
        if (!more) return more.error();
        if (!*more) break;
        learn_keys(reader.channels());
        write_reading(json, reader.reading(), header.wall_offset_us);
    }
    json.end_array();
    return {};
}

void PayloadEncoder::write_reading(JsonWriter& json, const Reading& reading, std::int64_t wall_offset_us) {
    const std::int64_t wall_us =
        reading.base == TimeBase::wall ? reading.time_us : saturating_add(reading.time_us, wall_offset_us);
    json.begin_object().raw("\"ts\":").number(to_timestamp(wall_us, identity_.unit));
    write_tags(json, reading.tags);
    json.raw("\"values\":").begin_object();
    for (const Value& value : reading.values) {
        json.raw(key_of(value.channel));
        write_value(json, value);
    }
    json.end_object().end_object();
}

void PayloadEncoder::write_gap(JsonWriter& json, const BatchHeader& header, GapReason reason) {
    const auto timestamp = [&](std::int64_t time_us) {
        return to_timestamp(saturating_add(time_us, header.wall_offset_us), identity_.unit);
    };
    json.key("gap").begin_object();
    json.key("from").number(timestamp(header.first_us));
    json.key("to").number(timestamp(header.last_us));
    json.key("readings").number(header.count);
    json.key("reason").text(to_string(reason));
    json.end_object();
}

void PayloadEncoder::learn_keys(const std::vector<Channel>& channels) {
    for (std::size_t i = key_ends_.size(); i < channels.size(); ++i) {
        append_json_string(keys_, channels[i].name);
        keys_ += ':';
        key_ends_.push_back(keys_.size());
    }
}

std::string_view PayloadEncoder::key_of(std::uint32_t channel) const {
    const std::size_t begin = channel == 0 ? 0 : key_ends_[channel - 1];
    return std::string_view(keys_).substr(begin, key_ends_[channel] - begin);
}

std::string status_payload(const PayloadIdentity& identity, AgentState state, std::string_view version,
                           std::int64_t since_wall_us, const Backlog& backlog) {
    std::string out;
    JsonWriter json(out);
    json.begin_object().key("agent").text(identity.agent_id);
    json.key("state").text(state == AgentState::online ? "online" : "offline");
    json.key("version").text(version);
    json.key("since").number(to_timestamp(since_wall_us, identity.unit));
    if (state == AgentState::online) {
        json.key("buffer").begin_object();
        json.key("readings").number(backlog.readings);
        json.key("oldest_age_s").number_or_null(backlog.oldest_age_s);
        json.key("drain_rate").number(backlog.drain_rate);
        json.key("empty_in_s").number_or_null(backlog.empty_in_s);
        json.end_object();
    }
    json.end_object();
    return out;
}

}  // namespace holdfast
