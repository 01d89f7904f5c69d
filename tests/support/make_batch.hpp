// Makes batches as the batcher would, for tests of what comes after it.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "model/batch.hpp"

namespace holdfast::test {

class BatchMaker {
  public:
    explicit BatchMaker(std::string input, const Tags& tags = {}) {
        header_.input = std::move(input);
        header_.clock = ClockState::synchronised;
        head_ = encode_body_head(tags);
    }

    std::uint32_t channel(std::string name, ValueType type) {
        return writer_.define({std::move(name), type, ""});
    }
    void wall_offset_us(std::int64_t offset) { header_.wall_offset_us = offset; }

    void add(std::int64_t boot_us, std::initializer_list<Value> values) {
        add(Reading{boot_us, TimeBase::boot, {}, {}}, values);
    }
    // The reading's time and tags, with these values.
    void add(Reading reading, std::initializer_list<Value> values) {
        const std::vector<Value> held(values);
        reading.values = held;
        if (header_.count++ == 0) header_.first_us = reading.time_us;
        header_.last_us = reading.time_us;
        writer_.append(reading);
    }

    // What was added so far, under that seq.
    Batch batch(std::uint64_t seq) const {
        Batch made{header_, head_ + writer_.bytes()};
        made.header.seq = seq;
        return made;
    }

  private:
    BatchHeader header_;
    std::string head_;
    ReadingWriter writer_;
};

// `count` readings of one value each.
inline Batch simple_batch(std::uint64_t seq, const std::string& input = "host", std::uint32_t count = 1) {
    BatchMaker maker(input);
    const std::uint32_t channel = maker.channel("value", ValueType::i64);
    for (std::uint32_t i = 0; i < count; ++i)
        maker.add(i, {Value::of(channel, static_cast<std::int64_t>(seq))});
    return maker.batch(seq);
}

}  // namespace holdfast::test
