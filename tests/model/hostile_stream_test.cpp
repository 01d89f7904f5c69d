// What a damaged or hostile stream may do: fail, or give other readings that keep every rule. Nothing else.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/utf8.hpp"
#include "model/owned_reading.hpp"
#include "model/reading_stream.hpp"

namespace holdfast {
namespace {

std::string valid_stream() {
    ReadingWriter writer;
    const auto number = writer.define({"temperature", ValueType::f64, "Cel"});
    const auto count = writer.define({"n", ValueType::i64, ""});
    const auto flag = writer.define({"on", ValueType::boolean, ""});
    const auto text = writer.define({"größe", ValueType::string, "m"});
    const TagView tag{"raum", "küche"};
    for (std::int64_t i = 0; i < 4; ++i) {
        const Value values[] = {Value::of(number, 20.5 + 0.1 * static_cast<double>(i)),
                                Value::of(count, 1000 * i), Value::of(flag, i % 2 == 0),
                                Value::of(text, i < 2 ? "schön" : "ｗｉｄｅ")};
        writer.append({1000 * i, i == 2 ? TimeBase::wall : TimeBase::boot,
                       std::span(values).first(i == 3 ? 2 : 4), std::span(&tag, i == 1 ? 1U : 0U)});
    }
    return writer.take(ReadingWriter::After::fresh);
}

void expect_sound(const ReadingReader& reader) {
    const Reading& reading = reader.reading();
    EXPECT_FALSE(reading.values.empty());
    EXPECT_LE(reading.tags.size(), max_tags);
    std::set<std::uint32_t> seen;
    for (const Value& value : reading.values) {
        EXPECT_TRUE(seen.insert(value.channel).second) << "channel twice in a reading";
        ASSERT_LT(value.channel, reader.channels().size());
        EXPECT_EQ(value.type, reader.channels()[value.channel].type);
        EXPECT_TRUE(value.type != ValueType::string || is_utf8(value.string));
        EXPECT_LE(value.string.size(), max_string_bytes);
    }
    for (const TagView& tag : reading.tags)
        EXPECT_TRUE(!tag.key.empty() && is_plain_text(tag.key) && is_plain_text(tag.value));
    std::set<std::string> names;
    for (const Channel& channel : reader.channels()) {
        EXPECT_TRUE(!channel.name.empty() && is_plain_text(channel.name) && is_plain_text(channel.unit));
        EXPECT_TRUE(names.insert(channel.name).second) << "two channels of one name";
    }
}

// How many readings came before the end (or the failure); `failed` says which it was.
std::size_t read_checked(std::string_view bytes, bool& failed) {
    const std::string exact(bytes);  // on the heap, so that a sanitizer sees a read past its end
    ReadingReader reader;
    reader.feed(exact);
    for (std::size_t count = 0;; ++count) {
        const auto more = reader.next();
        failed = !more;
        if (!more) {
            EXPECT_EQ(more.error().kind, Error::Kind::corrupt);
            EXPECT_FALSE(reader.next()) << "a damaged stream must stay damaged";
            reader.feed(valid_stream());
            EXPECT_FALSE(reader.next()) << "a damaged stream must stay damaged";
        }
        if (!more || !*more) return count;
        expect_sound(reader);
    }
}

bool fails(const std::string& bytes) {
    bool failed = false;
    read_checked(bytes, failed);
    return failed;
}

// A definition as the format has it, of any content.
std::string definition(std::uint8_t type, std::string_view name, std::string_view unit = "") {
    std::string out;
    wire::put_byte(out, 0x80);
    wire::put_byte(out, type);
    wire::put_text(out, name);
    wire::put_text(out, unit);
    return out;
}

TEST(HostileStream, GivesAPrefixOfTheReadingsWhenCutShort) {
    const std::string whole = valid_stream();
    std::size_t before = 0;
    for (std::size_t length = 0; length < whole.size(); ++length) {
        bool failed = false;
        const std::size_t count = read_checked(std::string_view(whole).substr(0, length), failed);
        EXPECT_GE(count, before);
        EXPECT_LT(count, 4U);
        before = count;
    }
    bool failed = true;
    EXPECT_EQ(read_checked(whole, failed), 4U);
    EXPECT_FALSE(failed);
}

TEST(HostileStream, KeepsTheRulesWhateverByteIsChanged) {
    const std::string whole = valid_stream();
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (int change = 1; change < 256; ++change) {
            std::string damaged = whole;
            damaged[at] = static_cast<char>(damaged[at] ^ change);
            bool failed = false;
            read_checked(damaged, failed);
        }
}

TEST(HostileStream, RefusesADefinitionThatBreaksARule) {
    EXPECT_FALSE(fails(definition(3, "c")));
    EXPECT_TRUE(fails(definition(4, "c"))) << "unknown type";
    EXPECT_TRUE(fails(definition(0, ""))) << "no name";
    EXPECT_TRUE(fails(definition(0, std::string(max_name_bytes + 1, 'c')))) << "name too long";
    EXPECT_TRUE(fails(definition(0, "c", std::string(max_unit_bytes + 1, 'u')))) << "unit too long";
    EXPECT_TRUE(fails(definition(0, "\xFF"))) << "name not UTF-8";
    EXPECT_TRUE(fails(definition(0, "a\nb"))) << "control character";
    EXPECT_TRUE(fails(definition(0, "c") + definition(1, "c"))) << "name twice";
}

TEST(HostileStream, RefusesMoreChannelsThanTheBound) {
    std::string bytes;
    for (std::size_t i = 0; i < max_channels; ++i)
        bytes += definition(2, "c" + std::to_string(i));
    EXPECT_FALSE(fails(bytes));
    EXPECT_TRUE(fails(bytes + definition(2, "one more")));
}

TEST(HostileStream, RefusesAReadingThatBreaksARule) {
    const std::string flag = definition(2, "flag");
    const std::string text = definition(3, "text");
    const auto with = [](std::string head, std::initializer_list<int> bytes) {
        for (const int byte : bytes)
            head.push_back(static_cast<char>(byte));
        return head;
    };
    EXPECT_FALSE(fails(with(flag, {0x01, 1, 0, 0, 1})));
    EXPECT_TRUE(fails(with(flag, {0x00, 0, 1}))) << "no shape yet";
    EXPECT_TRUE(fails(with(flag, {0x01, 0, 0}))) << "empty shape";
    EXPECT_TRUE(fails(with(flag, {0x01, 1, 1, 0, 1}))) << "unknown channel";
    EXPECT_TRUE(fails(with(flag, {0x01, 2, 0, 0, 0, 1, 1}))) << "channel twice";
    EXPECT_TRUE(fails(with(flag, {0x01, 1, 0, 0, 2}))) << "boolean that is neither";
    EXPECT_TRUE(fails(with(flag, {0x09, 1, 0, 0, 1}))) << "unknown bit in the head";
    EXPECT_TRUE(fails(with(flag, {0x05, 1, 0, 0, 0, 1}))) << "tags announced but none";
    EXPECT_TRUE(fails(with(flag, {0x05, 1, 0, 0, 1, 0, 0, 1}))) << "tag without a key";
    EXPECT_TRUE(fails(with(text, {0x01, 1, 0, 0, 3, 0xC3, 'a'}))) << "string not UTF-8";
    EXPECT_TRUE(fails(with(definition(0, "f"), {0x01, 1, 0, 0, 0x54, 1})))
        << "double of more than eight bytes";
}

TEST(HostileStream, RefusesAStringBeyondTheBound) {
    const auto stream = [](std::size_t length) {
        std::string bytes = definition(3, "text");
        for (const int byte : {0x01, 1, 0, 0})
            bytes.push_back(static_cast<char>(byte));
        wire::put_varint(bytes, length + 1);
        return bytes + std::string(length, 's');
    };
    EXPECT_FALSE(fails(stream(max_string_bytes)));
    EXPECT_TRUE(fails(stream(max_string_bytes + 1)));
}

TEST(HostileStream, RefusesAReadingThatGrowsByRepeatingLongStrings) {
    ReadingWriter writer;
    const std::string text(60'000, 's');
    const Value values[] = {Value::of(writer.define({"a", ValueType::string, ""}), text),
                            Value::of(writer.define({"b", ValueType::string, ""}), text)};
    for (std::int64_t i = 0; i < 2; ++i)
        writer.append({i, TimeBase::boot, std::span(values).subspan(static_cast<std::size_t>(i), 1), {}});
    EXPECT_FALSE(fails(writer.bytes()));
    writer.append({2, TimeBase::boot, values, {}});
    EXPECT_TRUE(fails(writer.bytes()));
}

TEST(HostileStream, RefusesAVarintWithoutEnd) {
    EXPECT_TRUE(fails(definition(1, "n") + "\x01\x01" + std::string(1, '\0') + std::string(20, '\xFF')));
}

}  // namespace
}  // namespace holdfast
