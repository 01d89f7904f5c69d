#include "pipeline/batcher.hpp"

namespace holdfast {

Batcher::Batcher(const InputConfig& input, const Tags& tags, const BatchConfig& limits,
                 std::size_t envelope_bytes)
    : input_(input.name),
      priority_(input.priority),
      body_head_(encode_body_head(tags)),
      limits_(limits),
      envelope_bytes_(envelope_bytes) {}

void Batcher::open(MonoTime now, const Stamp& stamp) {
    body_.open(body_head_, stamp.wall_offset_us);
    opened_ = now;
    opened_synchronised_ = stamp.synchronised;
    payload_bytes_ = envelope_bytes_;
}

Batch Batcher::close(const Stamp& stamp) {
    Batch batch;
    batch.header.input = input_;
    batch.header.priority = priority_;
    batch.header.boot = stamp.boot;
    batch.header.wall_offset_us = stamp.wall_offset_us;
    if (stamp.synchronised)
        batch.header.clock = opened_synchronised_ ? ClockState::synchronised : ClockState::corrected;
    batch.header.arrived = opened_;
    body_.close(batch);
    return batch;
}

}  // namespace holdfast
