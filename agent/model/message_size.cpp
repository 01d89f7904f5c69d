#include "model/message_size.hpp"

namespace holdfast::message_size {
namespace {

constexpr std::size_t reading_bytes = 48;  // {"ts":<19 digits and sign>,"values":{}},
constexpr std::size_t number_bytes = 25;   // -1.7976931348623157e+308,
constexpr std::size_t member_bytes = 4;    // "":,
constexpr std::size_t text_bytes = 3;      // "",

std::size_t escaped(std::string_view text) {
    std::size_t bytes = text.size();
    for (const char c : text)
        if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20) bytes += 5;  // \u001f
    return bytes;
}

}  // namespace

std::size_t of_reading(std::span<const TagView> tags) {
    std::size_t bytes = reading_bytes;
    for (const TagView& tag : tags)
        bytes += escaped(tag.key) + escaped(tag.value) + member_bytes + sizeof "\"tags\":{}";
    return bytes;
}

std::size_t of_reading(const Reading& reading, const std::vector<Channel>& channels) {
    std::size_t bytes = of_reading(reading.tags);
    for (const Value& value : reading.values)
        bytes += of_value(channels[value.channel].name, value);
    return bytes;
}

std::size_t of_value(std::string_view name, const Value& value) {
    return escaped(name) + member_bytes +
           (value.type == ValueType::string ? escaped(value.string) + text_bytes : number_bytes);
}

}  // namespace holdfast::message_size
