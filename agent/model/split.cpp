#include "model/split.hpp"

#include <algorithm>

#include "model/message_size.hpp"

namespace holdfast {
namespace {

constexpr std::uint32_t undefined = 0xFFFF'FFFF;

// Gathers readings in the parts that they are to be in.
class Splitter {
  public:
    Splitter(const BatchHeader& like, std::string_view head) : like_(like), head_(head) {
        writer_.start_with(head_);
    }

    void add(const Reading& reading, const std::vector<Channel>& channels) {
        channel_map_.resize(channels.size(), undefined);
        values_.assign(reading.values.begin(), reading.values.end());
        for (Value& value : values_) {
            std::uint32_t& own = channel_map_[value.channel];
            if (own == undefined) own = writer_.define(channels[value.channel]);
            value.channel = own;
        }
        Reading own = reading;
        own.values = values_;
        writer_.append(own);
        const std::int64_t time_us =
            reading.base == TimeBase::boot ? reading.time_us : reading.time_us - like_.wall_offset_us;
        first_us_ = count_ == 0 ? time_us : std::min(first_us_, time_us);
        last_us_ = count_ == 0 ? time_us : std::max(last_us_, time_us);
        ++count_;
    }

    void close() {
        if (count_ == 0) return;
        Batch part{like_, writer_.take(ReadingWriter::After::fresh)};
        part.header.seq = 0;
        part.header.message_seq = 0;
        part.header.count = count_;
        part.header.first_us = first_us_;
        part.header.last_us = last_us_;
        parts_.push_back(std::move(part));
        writer_.start_with(head_);
        std::fill(channel_map_.begin(), channel_map_.end(), undefined);
        count_ = 0;
    }

    std::uint32_t count() const { return count_; }
    std::vector<Batch> take() { return std::move(parts_); }

  private:
    const BatchHeader& like_;
    const std::string_view head_;
    ReadingWriter writer_;
    std::vector<std::uint32_t> channel_map_;
    std::vector<Value> values_;
    std::uint32_t count_ = 0;
    std::int64_t first_us_ = 0;
    std::int64_t last_us_ = 0;
    std::vector<Batch> parts_;
};

// No part has more than `most` readings.
Result<std::vector<Batch>> cut(const Batch& batch, const BatchBody& body, std::size_t room,
                               std::uint32_t most) {
    const std::string_view head(batch.body.data(), batch.body.size() - body.stream.size());
    Splitter splitter(batch.header, head);
    ReadingReader reader;
    reader.feed(body.stream);
    std::size_t taken = 0;
    auto more = reader.next();
    for (; more && *more; more = reader.next()) {
        const std::size_t bytes = message_size::of_reading(reader.reading(), reader.channels());
        if (splitter.count() == most || taken + bytes > room) {
            splitter.close();
            taken = 0;
        }
        splitter.add(reader.reading(), reader.channels());
        taken += bytes;
    }
    if (!more) return more.error();
    splitter.close();
    return splitter.take();
}

}  // namespace

Result<std::vector<Batch>> split_batch(const Batch& batch, std::size_t room) {
    if (batch.header.kind == BatchKind::gap || batch.header.count < 2)
        return Error{Error::Kind::full, "a single reading can't be split"};
    const auto body = decode_body(batch.header.kind, batch.body);
    if (!body) return body.error();
    auto parts = cut(batch, *body, room, (batch.header.count + 1) / 2);
    if (parts && parts->size() < 2)
        return Error{Error::Kind::corrupt, "a batch has fewer readings than its header says"};
    return parts;
}

}  // namespace holdfast
