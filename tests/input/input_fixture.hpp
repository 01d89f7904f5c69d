// Real hosts with the tests' plugins, on a loop of the test's own; what arrives is remembered.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "input/inputs.hpp"
#include "support/poll_event_loop.hpp"
#include "support/recording_log.hpp"
#include "support/temp_dir.hpp"

namespace holdfast::test {

// Remembers channel n of each input's streams, and how the readings looked.
class RecordingSink final : public ReadingSink {
  public:
    struct Stream {
        std::vector<std::int64_t> n;
        std::vector<std::int64_t> times_us;
    };

    void begin_stream(const std::string& input) override { streams_[input].emplace_back(); }
    void accept(const std::string& input, const Reading& reading,
                const std::vector<Channel>& channels) override {
        Stream& stream = streams_[input].back();
        for (const Value& value : reading.values)
            if (channels[value.channel].name == "n") stream.n.push_back(value.i64);
        stream.times_us.push_back(reading.time_us);
        ++total_;
    }

    const std::vector<Stream>& streams(const std::string& input) { return streams_[input]; }
    std::size_t count(const std::string& input) {
        std::size_t sum = 0;
        for (const Stream& stream : streams_[input])
            sum += stream.n.size();
        return sum;
    }
    std::size_t total() const { return total_; }
    // Whether each stream of the input counts 0, 1, 2, ... without a hole.
    bool is_complete(const std::string& input) {
        for (const Stream& stream : streams_[input])
            for (std::size_t i = 0; i < stream.n.size(); ++i)
                if (stream.n[i] != static_cast<std::int64_t>(i)) return false;
        return true;
    }

  private:
    std::map<std::string, std::vector<Stream>> streams_;
    std::size_t total_ = 0;
};

inline InputEnvironment test_environment() {
    return {HOST_PROGRAM, TEST_PLUGINS, {}};
}

inline InputConfig counter_input(const std::string& name, Micros interval, std::int64_t burst = 1,
                                 std::int64_t count = 0, bool fast = false) {
    InputConfig config;
    config.name = name;
    config.plugin = "counter";
    config.interval = interval;
    config.options = {{"burst", burst}, {"count", count}, {"fast", fast}};
    return config;
}

inline InputConfig rogue_input(const std::string& deed, const std::string& path = "") {
    InputConfig config;
    config.name = "rogue";
    config.plugin = "rogue";
    config.interval = Micros(10'000);
    config.options = {{"deed", deed}, {"path", path}};
    return config;
}

class InputFixture : public testing::Test {
  protected:
    InputStatus status(const std::string& name) const {
        for (const InputStatus& status : inputs_.status())
            if (status.name == name) return status;
        return {};
    }

    SystemClock clock_;
    RecordingLog log_;
    PollEventLoop loop_;
    RecordingSink sink_;
    TempDir directory_;
    Inputs inputs_{loop_, clock_, log_, test_environment(), sink_};
};

}  // namespace holdfast::test
