#include "model/body_writer.hpp"

#include <algorithm>

namespace holdfast {
namespace {

constexpr std::uint32_t undefined = 0xFFFF'FFFF;

}  // namespace

void BodyWriter::open(std::string_view head, std::int64_t wall_offset_us) {
    writer_.start_with(head);
    wall_offset_us_ = wall_offset_us;
}

std::uint32_t BodyWriter::own_channel(std::uint32_t theirs, const std::vector<Channel>& channels) {
    if (theirs >= channel_map_.size()) channel_map_.resize(channels.size(), undefined);
    if (channel_map_[theirs] == undefined) channel_map_[theirs] = writer_.define(channels[theirs]);
    return channel_map_[theirs];
}

void BodyWriter::add(const Reading& reading, const std::vector<Channel>& channels) {
    const std::int64_t time_us =
        reading.base == TimeBase::boot ? reading.time_us : reading.time_us - wall_offset_us_;
    first_us_ = count_ == 0 ? time_us : std::min(first_us_, time_us);
    last_us_ = count_ == 0 ? time_us : std::max(last_us_, time_us);

    values_.assign(reading.values.begin(), reading.values.end());
    for (Value& value : values_)
        value.channel = own_channel(value.channel, channels);
    Reading own = reading;
    own.values = values_;
    writer_.append(own);
    ++count_;
}

void BodyWriter::close(Batch& batch) {
    batch.header.count = count_;
    batch.header.first_us = first_us_;
    batch.header.last_us = last_us_;
    batch.body = writer_.take(ReadingWriter::After::fresh);
    std::fill(channel_map_.begin(), channel_map_.end(), undefined);
    count_ = 0;
}

}  // namespace holdfast
