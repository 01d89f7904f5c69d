// Any bytes as a batch body: decoding fails or gives readings that keep the rules and survive being written
// and read again.
#include <cstdlib>
#include <set>

#include "../model/owned_reading.hpp"
#include "base/utf8.hpp"
#include "model/batch.hpp"

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    (void)decode_body(BatchKind::gap, input);
    const auto body = decode_body(BatchKind::readings, input);
    if (!body) return 0;
    for (const TagView& tag : body->tags)
        require(is_plain_text(tag.key) && is_plain_text(tag.value));

    ReadingReader reader;
    ReadingWriter writer;
    std::vector<test::OwnedReading> readings;
    reader.feed(body->stream);
    for (auto more = reader.next(); more && *more; more = reader.next()) {
        check(reader.reading(), reader.channels());
        while (writer.channel_count() < reader.channels().size())
            writer.define(reader.channels()[writer.channel_count()]);
        writer.append(reader.reading());
        readings.push_back(test::owned(reader.reading()));
    }
    ReadingReader again;
    require(test::read_all(again, writer.bytes()) == readings);
    return 0;
}
