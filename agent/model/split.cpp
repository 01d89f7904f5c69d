#include "model/split.hpp"

#include "model/body_writer.hpp"
#include "model/message_size.hpp"

namespace holdfast {
namespace {

// No part has more than `most` readings.
Result<std::vector<Batch>> cut(const Batch& batch, const BatchBody& body, std::size_t room,
                               std::uint32_t most) {
    const std::string_view head(batch.body.data(), batch.body.size() - body.stream.size());
    std::vector<Batch> parts;
    BodyWriter part;
    const auto close = [&] {
        Batch& closed = parts.emplace_back(Batch{batch.header, {}});
        closed.header.seq = 0;
        closed.header.message_seq = 0;
        part.close(closed);
    };
    ReadingReader reader;
    reader.feed(body.stream);
    std::size_t taken = 0;
    auto more = reader.next();
    for (; more && *more; more = reader.next()) {
        const std::size_t bytes = message_size::of_reading(reader.reading(), reader.channels());
        if (part.count() > 0 && (part.count() == most || taken + bytes > room)) close();
        if (part.count() == 0) {
            part.open(head, batch.header.wall_offset_us);
            taken = 0;
        }
        part.add(reader.reading(), reader.channels());
        taken += bytes;
    }
    if (!more) return more.error();
    if (part.count() > 0) close();
    return parts;
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
