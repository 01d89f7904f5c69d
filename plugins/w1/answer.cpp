#include "answer.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "shared/sensors/text.hpp"

namespace w1_input {

namespace {

// DS18B20 data sheet, "Memory": temperature in bytes 0 and 1, 0Ch in byte 6 when the power comes on, CRC in
// byte 8.
using Scratchpad = std::array<std::uint8_t, 9>;

Answer failed(std::string why) {
    return {std::nullopt, std::move(why)};
}

std::optional<std::uint8_t> to_byte(std::string_view word) {
    return word.size() == 2 ? sensors::to_number<std::uint8_t>(word, 16) : std::nullopt;
}

std::optional<Scratchpad> take_scratchpad(std::string_view& line) {
    Scratchpad bytes{};
    for (std::uint8_t& byte : bytes) {
        const auto taken = to_byte(sensors::take_word(line));
        if (!taken) return std::nullopt;
        byte = *taken;
    }
    return bytes;
}

// Byte 6 of a genuine thermometer is 10h less the lowest four bits of the temperature after a conversion, so
// that a measured 85 has 10h there, and 0Ch is what the power left (kernel,
// Documentation/w1/slaves/w1_therm.rst, `features`, names both values). The DS18S20's count is 0Ch in either
// case.
bool is_power_on_value(const Scratchpad& bytes, bool is_ds18s20) {
    const int raw = bytes[1] << 8 | bytes[0];
    return bytes[6] == 0x0C && raw == (is_ds18s20 ? 0x00AA : 0x0550);
}

// The same place: what a conversion gives that ran short of power.
bool is_low_power_value(const Scratchpad& bytes) {
    return bytes[6] == 0x0C && bytes[0] == 0xFF && bytes[1] == 0x07;
}

Answer in_range(std::int64_t thousandths, std::string_view id) {
    // All these measure from -55 to +125; but of family 3b there are thermocouples, too.
    if (!id.starts_with("3b") && (thousandths < -55'000 || thousandths > 125'000))
        return failed("answered " + std::to_string(thousandths / 1000) + " degrees, which it can't measure");
    return {static_cast<double>(thousandths) / 1000, {}};
}

// Since 5.8 w1_therm shows an empty file for a wrong CRC, too: all that its convert_t() tells is that it failed.
constexpr const char* silent_text = "did not answer, or not with a right CRC";

constexpr const char* power_on_text =
    "answered 85 degrees, its value after power came on: it did not convert, or lost power meanwhile";

}  // namespace

Answer parse_w1_slave(std::string_view text, std::string_view id) {
    std::string_view first = sensors::take_line(text);
    if (first.empty()) return failed(silent_text);
    const auto bytes = take_scratchpad(first);
    const std::size_t verdict = first.find(" crc=");
    if (!bytes || verdict == std::string_view::npos) return failed("w1_slave is not as w1_therm writes it");
    // The kernel has tried five times.
    if (!first.ends_with("YES")) return failed("the CRC does not match: a bad wire, or another bus master");
    // The CRC of nothing but zeros is 0.
    if (std::all_of(bytes->begin(), bytes->end(), [](std::uint8_t byte) { return byte == 0; }))
        return failed("answered nothing but zeros: the data line is shorted to ground");
    if (is_power_on_value(*bytes, id.starts_with("10"))) return failed(power_on_text);
    if (is_low_power_value(*bytes))
        return failed("answered 127.94 degrees: its power is too weak to convert");
    const std::size_t begin = text.find("t=");
    if (begin == std::string_view::npos) return failed("w1_slave has no temperature");
    text.remove_prefix(begin + 2);
    const auto thousandths = sensors::take_number<std::int64_t>(text);
    if (!thousandths) return failed("w1_slave has no number for a temperature");
    return in_range(*thousandths, id);
}

Answer parse_temperature(std::string_view text, std::string_view id) {
    std::string_view line = sensors::take_line(text);
    if (line.empty()) return failed(silent_text);
    const auto thousandths = sensors::to_number<std::int64_t>(line);
    if (!thousandths) return failed("`temperature` holds no number");
    if (*thousandths == 85'000) return failed(power_on_text);
    return in_range(*thousandths, id);
}

}  // namespace w1_input
