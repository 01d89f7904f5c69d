// What happens to a reading between its input and the buffer: it is completed (tags, clock) and batched.
//
// Passive; lives on the main thread. A batch is closed when it is full (max_readings, max_bytes), when its
// first reading has waited long enough (max_delay), or when what is in it has to reach the disk in time
// (commit_interval, spill_after).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "config/config.hpp"
#include "model/batch.hpp"
#include "pipeline/batcher.hpp"

namespace holdfast {

class Pipeline {
  public:
    using Append = std::function<void(Batch)>;

    Pipeline(AgentConfig agent, BatchConfig limits, const Clock& clock, Append append);

    // Which inputs there are; open batches of inputs that are gone or changed are closed.
    [[gnu::cold]] void configure(const std::vector<InputConfig>& inputs);

    void begin_stream(const std::string& input);
    void accept(const std::string& input, const Reading& reading, const std::vector<Channel>& channels);

    // No reading waits longer than this in an open batch, whatever max_delay says: the buffer's share of the
    // promise on what a power cut can take. When one batch is due by it all are closed, so that one commit
    // serves all.
    void set_longest_wait(Micros wait) { longest_wait_ = wait; }

    // What a message may have at most, as the broker tells; what is larger would have to be split.
    void set_message_limit(std::uint64_t bytes);

    // Closes what is due. Returns when to call again; none: nothing is open.
    std::optional<MonoTime> step();
    // Closes everything open.
    void flush();

    std::uint64_t open_readings() const;
    std::optional<std::int64_t> oldest_open_wall_us() const;

  private:
    struct Input {
        InputConfig config;
        Batcher batcher;
    };
    Input* find(const std::string& name);
    void close(Input& input);
    void look_at_clock();
    Batcher::Stamp stamp() const;

    AgentConfig agent_;
    BatchConfig limits_;
    const Clock& clock_;
    Append append_;
    Micros patience_;  // with the open batch: a tenth of max_delay is kept for the way to the broker
    BootId boot_;
    bool synchronised_;  // as of the last batch that was closed: asking takes a system call, so at intervals
    MonoTime clock_due_{};  // to be looked at again
    Micros longest_wait_ = std::chrono::hours(24 * 365);  // no limit
    std::uint64_t message_limit_ = no_message_limit;
    std::map<std::string, std::unique_ptr<Input>> inputs_;
    Input* last_ = nullptr;  // readings come in runs of one input
};

}  // namespace holdfast
