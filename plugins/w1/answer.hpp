// What a thermometer answered: a temperature, or why there is none in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace w1_input {

struct Answer {
    std::optional<double> celsius;
    std::string failure;  // when there is no temperature
};

// The two lines of `w1_slave`: the nine bytes of the scratchpad with the verdict on their CRC, and again with
// the temperature. The id says by its family what may be in them.
Answer parse_w1_slave(std::string_view text, std::string_view id);

// The file `temperature`: thousandths of a degree alone.
Answer parse_temperature(std::string_view text, std::string_view id);

}  // namespace w1_input
