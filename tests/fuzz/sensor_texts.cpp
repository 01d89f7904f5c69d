// What the inputs of sensors parse; the first byte chooses. 0: lines that describe the elements of a scan
// (index, blank, type), an empty line, and a scan to be read by them. 1: a thermometer's w1_slave. 2: its
// temperature. 3: a line with a pattern, and the name that it is held against.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include "iio/scan.hpp"
#include "shared/sensors/patterns.hpp"
#include "shared/sensors/text.hpp"
#include "w1/answer.hpp"

namespace {

void check(bool holds) {
    if (!holds) std::abort();
}

std::vector<iio_input::Element> take_elements(std::string_view& text) {
    std::vector<iio_input::Element> elements;
    for (std::string_view line = sensors::take_line(text); !line.empty(); line = sensors::take_line(text)) {
        const auto index = sensors::take_number<unsigned>(line);
        if (!line.empty()) line.remove_prefix(1);
        elements.push_back({"e", index.value_or(0), iio_input::parse_scan_type(line), 0});
    }
    return elements;
}

void read_scan(std::string_view text) {
    try {
        const iio_input::ScanLayout layout = iio_input::lay_out(take_elements(text));
        check(layout.bytes > 0 && layout.bytes <= iio_input::most_scan_bytes * 2);
        // Of exactly its size, on the heap: what is read beyond it is found.
        std::vector<std::uint8_t> scan(layout.bytes);
        for (std::size_t i = 0; i < scan.size() && i < text.size(); ++i)
            scan[i] = static_cast<std::uint8_t>(text[i]);
        for (const iio_input::Element& element : layout.elements)
            for (unsigned which = 0; which < element.type.repeat; ++which)
                check(std::abs(iio_input::decode(element, which, scan)) <=
                      std::ldexp(1.0, static_cast<int>(element.type.bits)));
    } catch (const std::invalid_argument&) {
        // Refused.
    }
}

void check_answer(const w1_input::Answer& answer) {
    check(answer.celsius.has_value() == answer.failure.empty());
    if (answer.celsius) check(*answer.celsius >= -55 && *answer.celsius <= 125);
}

void match(std::string_view text) {
    const std::string pattern(sensors::take_line(text));
    try {
        const bool taken = sensors::Patterns("chips", {pattern}).select({text});
        const bool left_out = sensors::Patterns("chips", {"!" + pattern}).select({text});
        if (!pattern.starts_with('!')) check(taken != left_out);
    } catch (const std::system_error&) {
        // Empty.
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 4) {
        case 0:
            read_scan(text);
            break;
        case 1:
            check_answer(w1_input::parse_w1_slave(text, "28-000005e2fdc3"));
            break;
        case 2:
            check_answer(w1_input::parse_temperature(text, "28-000005e2fdc3"));
            break;
        default:
            match(text);
    }
    return 0;
}
