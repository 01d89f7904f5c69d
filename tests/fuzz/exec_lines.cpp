// The parsers of the exec input: the first byte chooses one, the rest is a program's output, cut into lines
// as the input does.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "exec/line_reader.hpp"
#include "exec/record.hpp"
#include "exec/text.hpp"

namespace {

void check(bool holds) {
    if (!holds) std::abort();
}

void check(const exec_input::Record& record) {
    for (const exec_input::Field& field : record.fields) {
        check(exec_input::is_utf8(field.channel));
        if (const auto* text = std::get_if<std::string>(&field.value)) check(exec_input::is_utf8(*text));
    }
    for (const auto& [key, value] : record.tags)
        check(!key.empty() && !value.empty() && exec_input::is_utf8(key) && exec_input::is_utf8(value));
    if (record.wall_time_us) check(*record.wall_time_us >= 0);
}

void take_line(exec_input::Parser parse, std::string_view line) {
    check(exec_input::is_utf8(exec_input::printable(line, 64)));
    if (!exec_input::is_utf8(line)) return;
    exec_input::Record record;
    try {
        parse(line, record);
        check(record);
    } catch (const exec_input::LineError&) {
        // The line is refused.
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr exec_input::Parser parsers[] = {exec_input::parse_json, exec_input::parse_influx,
                                              exec_input::parse_value};
    if (size == 0) return 0;
    const exec_input::Parser parse = parsers[data[0] % std::size(parsers)];
    const std::string_view output(reinterpret_cast<const char*>(data) + 1, size - 1);
    exec_input::LineReader reader(256);
    const auto line = [&](std::string_view text) { take_line(parse, text); };
    reader.feed(output, line, [] {});
    reader.finish(line);
    return 0;
}
