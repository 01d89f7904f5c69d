// What the option `registers` says of one value, taken apart:
//
//     REGISTER [u8|s8|u16|s16|u24|s24|u32|s32] [be|le] [scale=0.1] [offset=-40] [unit=Cel]
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace i2c_input {

enum class ByteOrder { high_first, low_first };

struct RegisterSpec {
    std::uint8_t number = 0;
    std::size_t bytes = 0;
    bool is_signed = false;
    std::optional<ByteOrder> order;  // not said: high first
    double scale = 1;
    double offset = 0;
    std::string unit;
};

// Throws plugin_text::SpecError with what is wrong and what is allowed.
RegisterSpec parse_register_spec(std::string_view text);

// What the bytes of a register mean; as many as the spec says, in the order in which they were sent.
double register_value(const RegisterSpec& spec, std::span<const std::uint8_t> bytes);

// A number from 0 to `most`, decimal or with 0x.
std::optional<std::uint16_t> to_small_number(std::string_view text, std::uint16_t most);

}  // namespace i2c_input
