// Any bytes as a batch body: decoding fails or gives readings that keep the rules and survive being written,
// read again and thinned.
#include <cstdlib>
#include <set>

#include "../model/owned_reading.hpp"
#include "base/utf8.hpp"
#include "model/batch.hpp"
#include "model/thinning.hpp"

using namespace holdfast;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void check(const Reading& reading, const std::vector<Channel>& channels) {
    require(!reading.values.empty() && reading.tags.size() <= max_tags);
    std::set<std::uint32_t> seen;
    for (const Value& value : reading.values) {
        require(value.channel < channels.size() && seen.insert(value.channel).second);
        require(value.type == channels[value.channel].type);
        require(value.type != ValueType::string || is_utf8(value.string));
    }
    for (const TagView& tag : reading.tags)
        require(is_plain_text(tag.key) && is_plain_text(tag.value));
}

// A count can be so large that two of it do not fit.
bool counts_overflow(const Batch& thinned) {
    const auto body = decode_body(BatchKind::thinned, thinned.body);
    ReadingReader reader;
    reader.feed(body->stream);
    double sum = 0;
    while (reader.next().value())
        for (const Value& value : reader.reading().values)
            if (value.type == ValueType::i64) sum += static_cast<double>(value.i64);
    return sum > 0x1p61;
}

void check_stream(std::string_view stream) {
    ReadingReader reader;
    ReadingWriter writer;
    std::vector<test::OwnedReading> readings;
    reader.feed(stream);
    for (auto more = reader.next(); more && *more; more = reader.next()) {
        check(reader.reading(), reader.channels());
        while (writer.channel_count() < reader.channels().size())
            writer.define(reader.channels()[writer.channel_count()]);
        writer.append(reader.reading());
        readings.push_back(test::owned(reader.reading()));
    }
    ReadingReader again;
    require(test::read_all(again, writer.bytes()) == readings);
}

// Thinning fails, or makes batches that are smaller, whole, and can be thinned again.
void check_thinning(const Batch& batch, std::chrono::seconds step) {
    const auto made = thin(std::span(&batch, 1), step);
    if (!made) return;
    require(made->size() == 1 && made->front().body.size() < batch.body.size());
    const Batch& thinned = made->front();
    const auto body = decode_body(BatchKind::thinned, thinned.body);
    require(body && body->step == step);
    ReadingReader reader;
    std::string error;
    require(test::read_all(reader, body->stream, &error).size() == thinned.header.count && error.empty());
    const std::vector<Batch> twice{thinned, thinned};
    const auto again = thin(twice, *next_thinning_step(step));
    require(again || again.error().kind == Error::Kind::full || counts_overflow(thinned));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    (void)decode_body(BatchKind::gap, input);
    for (const BatchKind kind : {BatchKind::readings, BatchKind::thinned}) {
        const auto body = decode_body(kind, input);
        if (!body) continue;
        for (const TagView& tag : body->tags)
            require(is_plain_text(tag.key) && is_plain_text(tag.value));
        check_stream(body->stream);
        Batch batch;
        batch.header.kind = kind;
        batch.body = input;
        check_thinning(batch, thinning_steps[2]);
    }
    return 0;
}
