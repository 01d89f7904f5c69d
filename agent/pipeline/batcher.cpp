#include "pipeline/batcher.hpp"

#include <algorithm>

#include "model/message_size.hpp"

namespace holdfast {
namespace {

constexpr std::uint32_t undefined = 0xFFFF'FFFF;

}  // namespace

Batcher::Batcher(const InputConfig& input, const Tags& tags, const BatchConfig& limits,
                 std::size_t envelope_bytes)
    : input_(input.name),
      priority_(input.priority),
      body_head_(encode_body_head(tags)),
      limits_(limits),
      envelope_bytes_(envelope_bytes) {}

std::size_t Batcher::payload_bytes(const Reading& reading, const std::vector<Channel>& channels) const {
    return message_size::of_reading(reading, channels);
}

std::uint32_t Batcher::own_channel(std::uint32_t theirs, const std::vector<Channel>& channels) {
    if (theirs >= channel_map_.size()) channel_map_.resize(channels.size(), undefined);
    if (channel_map_[theirs] == undefined) channel_map_[theirs] = writer_.define(channels[theirs]);
    return channel_map_[theirs];
}

void Batcher::open(MonoTime now, const Stamp& stamp) {
    writer_.start_with(body_head_);
    opened_ = now;
    wall_offset_us_ = stamp.wall_offset_us;
    opened_synchronised_ = stamp.synchronised;
    payload_bytes_ = envelope_bytes_;
}

void Batcher::add(const Reading& reading, const std::vector<Channel>& channels, std::size_t bytes) {
    const std::int64_t time_us =
        reading.base == TimeBase::boot ? reading.time_us : reading.time_us - wall_offset_us_;
    first_us_ = count_ == 0 ? time_us : std::min(first_us_, time_us);
    last_us_ = count_ == 0 ? time_us : std::max(last_us_, time_us);
    payload_bytes_ += bytes;

    values_.assign(reading.values.begin(), reading.values.end());
    for (Value& value : values_)
        value.channel = own_channel(value.channel, channels);
    Reading own = reading;
    own.values = values_;
    writer_.append(own);
    ++count_;
}

Batch Batcher::close(const Stamp& stamp) {
    Batch batch;
    batch.header.input = input_;
    batch.header.priority = priority_;
    batch.header.count = count_;
    batch.header.first_us = first_us_;
    batch.header.last_us = last_us_;
    batch.header.boot = stamp.boot;
    batch.header.wall_offset_us = stamp.wall_offset_us;
    if (stamp.synchronised)
        batch.header.clock = opened_synchronised_ ? ClockState::synchronised : ClockState::corrected;
    batch.header.arrived = opened_;
    batch.body = writer_.take(ReadingWriter::After::fresh);
    std::fill(channel_map_.begin(), channel_map_.end(), undefined);
    count_ = 0;
    return batch;
}

}  // namespace holdfast
