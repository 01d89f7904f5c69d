#include "shared/lines/line_readings.hpp"

#include "shared/lines/text.hpp"

namespace lines {

namespace {

constexpr std::size_t shown_bytes = 512;

Parser parser_for(const std::string& format) {
    if (format == "influx") return parse_influx;
    return format == "value" ? parse_value : parse_json;
}

}  // namespace

LineReadings::LineReadings(holdfast::plugin::Host host, const std::string& format)
    : host_(host), parse_(parser_for(format)), channels_(host) {}

void LineReadings::emit(std::string_view line) {
    record_.clear();
    reading_.clear();
    if (!is_utf8(line)) throw LineError("the line is not UTF-8");
    if (line.find('\0') != line.npos) throw LineError("the line holds a zero byte");
    parse_(line, record_);
    channels_.fill(record_, reading_);
    if (!reading_.empty()) host_.emit(reading_);
}

void LineReadings::take(std::string_view line) {
    try {
        emit(line);
    } catch (const std::exception& error) {
        host_.error(printable(error.what(), shown_bytes));
    }
}

}  // namespace lines
