// What a batch looks like on the wire: the JSON of docs/mqtt.md.
//
// Passive; belongs to one thread. Encoding is a pure function of its arguments and the identity, so a batch
// that is sent again has the same bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.hpp"
#include "base/result.hpp"
#include "buffer/exchange.hpp"
#include "config/config.hpp"
#include "model/batch.hpp"

namespace holdfast {

// Microseconds since 1970 in the configured unit, rounded down; what does not fit an int64 becomes the
// nearest that does.
std::int64_t to_timestamp(std::int64_t wall_us, TimestampUnit unit);

// "epoch-seq": unique for ever.
std::string message_id(std::uint64_t epoch, std::uint64_t seq);

struct PayloadIdentity {
    std::string agent_id;
    std::uint64_t epoch = 0;  // of the buffer
    TimestampUnit unit = TimestampUnit::milliseconds;
};

class PayloadEncoder {
  public:
    explicit PayloadEncoder(PayloadIdentity identity);

    struct Payload {
        std::string json;
        std::uint64_t non_finite = 0;  // numbers in it that became null
    };
    // `body` is the decoded body of the header's batch. Fails with corrupt when its stream of readings is
    // damaged.
    Result<Payload> encode(const BatchHeader& header, const BatchBody& body);
    // Likewise, of a batch whose body is not decoded yet.
    Result<Payload> encode(const Batch& batch);

  private:
    Result<void> write_readings(JsonWriter& json, const BatchHeader& header, std::string_view stream);
    void write_reading(JsonWriter& json, const Reading& reading, std::int64_t wall_offset_us);
    void write_gap(JsonWriter& json, const BatchHeader& header, GapReason reason);
    void learn_keys(const std::vector<Channel>& channels);
    std::string_view key_of(std::uint32_t channel) const;

    PayloadIdentity identity_;
    std::string agent_member_;  // "agent":"..."
    std::string out_;           // keeps its storage from batch to batch, as do the keys
    std::string keys_;          // "name": of each channel of the batch, escaped, one after the other
    std::vector<std::size_t> key_ends_;
};

enum class AgentState { online, offline };

// The retained message on the status topic, and the last will. `since` is when the agent started; the backlog
// is told while online only.
std::string status_payload(const PayloadIdentity& identity, AgentState state, std::string_view version,
                           std::int64_t since_wall_us, const Backlog& backlog);

}  // namespace holdfast
