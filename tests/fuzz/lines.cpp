// The parsers of lines, which the exec and file inputs share: the first byte chooses one, the rest is output
// of a program or content of a file, cut into lines as the inputs do.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "shared/lines/line_reader.hpp"
#include "shared/lines/record.hpp"
#include "shared/lines/text.hpp"

namespace {

void check(bool holds) {
    if (!holds) std::abort();
}

void check(const lines::Record& record) {
    for (const lines::Field& field : record.fields) {
        check(lines::is_utf8(field.channel));
        if (const auto* text = std::get_if<std::string>(&field.value)) check(lines::is_utf8(*text));
    }
    for (const auto& [key, value] : record.tags)
        check(!key.empty() && !value.empty() && lines::is_utf8(key) && lines::is_utf8(value));
    if (record.wall_time_us) check(*record.wall_time_us >= 0);
}

void take_line(lines::Parser parse, std::string_view line) {
    check(lines::is_utf8(lines::printable(line, 64)));
    if (!lines::is_utf8(line)) return;
    lines::Record record;
    try {
        parse(line, record);
        check(record);
    } catch (const lines::LineError&) {
        // The line is refused.
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr lines::Parser parsers[] = {lines::parse_json, lines::parse_influx, lines::parse_value};
    if (size == 0) return 0;
    const lines::Parser parse = parsers[data[0] % std::size(parsers)];
    const std::string_view output(reinterpret_cast<const char*>(data) + 1, size - 1);
    lines::LineReader reader(256);
    const auto line = [&](std::string_view text) { take_line(parse, text); };
    reader.feed(output, line, [] {});
    reader.finish(line);
    return 0;
}
