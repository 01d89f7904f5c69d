#include "register_spec.hpp"

#include <algorithm>

#include "shared/text/number.hpp"
#include "shared/text/spec.hpp"

namespace i2c_input {

using plugin_text::SpecError;
using plugin_text::SpecItem;

namespace {

template <std::size_t bytes, bool is_signed>
void set_type(RegisterSpec& spec, const std::string&) {
    if (spec.bytes != 0)
        throw SpecError("it is one of u8, s8, u16, s16, u24, s24, u32 or s32, and not two of them");
    spec.bytes = bytes;
    spec.is_signed = is_signed;
}

template <ByteOrder order>
void set_order(RegisterSpec& spec, const std::string&) {
    if (spec.order) throw SpecError("it is be or le, and not both");
    spec.order = order;
}

constexpr SpecItem<RegisterSpec> items[] = {
    {"u8", "", set_type<1, false>},
    {"s8", "", set_type<1, true>},
    {"u16", "", set_type<2, false>},
    {"s16", "", set_type<2, true>},
    {"u24", "", set_type<3, false>},
    {"s24", "", set_type<3, true>},
    {"u32", "", set_type<4, false>},
    {"s32", "", set_type<4, true>},
    {"be", "", set_order<ByteOrder::high_first>},
    {"le", "", set_order<ByteOrder::low_first>},
    {"scale", "0.1",
     [](RegisterSpec& spec, const std::string& text) {
         spec.scale = plugin_text::number_of("scale", text);
         if (spec.scale == 0) throw SpecError("scale= is what a step is worth, and not 0");
     }},
    {"offset", "-40",
     [](RegisterSpec& spec, const std::string& text) {
         spec.offset = plugin_text::number_of("offset", text);
     }},
    {"unit", "Cel", [](RegisterSpec& spec, const std::string& text) { spec.unit = text; }},
};

}  // namespace

std::optional<std::uint16_t> to_small_number(std::string_view text, std::uint16_t most) {
    const bool is_hex = text.starts_with("0x") || text.starts_with("0X");
    if (is_hex) text.remove_prefix(2);
    const auto number = plugin_text::to_number<std::uint16_t>(text, is_hex ? 16 : 10);
    return number <= most ? number : std::nullopt;
}

RegisterSpec parse_register_spec(std::string_view text) {
    const auto words = plugin_text::spec_words(text);
    const auto number = words.empty() ? std::nullopt : to_small_number(words.front(), 0xFF);
    if (!number)
        throw SpecError(
            "it begins with the register, a number from 0x00 to 0xff" +
            (words.empty() ? std::string() : ", and not with '" + std::string(words.front()) + "'"));
    RegisterSpec spec;
    spec.number = static_cast<std::uint8_t>(*number);
    plugin_text::read_spec<RegisterSpec>(std::span(words).subspan(1), items, spec);
    if (spec.bytes == 0) spec.bytes = 1;
    if (spec.bytes == 1 && spec.order)
        throw SpecError("be and le are for values of more than one byte, such as u16");
    return spec;
}

double register_value(const RegisterSpec& spec, std::span<const std::uint8_t> bytes) {
    std::uint32_t bits = 0;
    const bool low_first = spec.order == ByteOrder::low_first;
    for (std::size_t i = 0; i < spec.bytes; ++i)
        bits = bits << 8 | bytes[low_first ? spec.bytes - 1 - i : i];
    const auto unused = static_cast<unsigned>(32 - 8 * spec.bytes);
    const double steps = spec.is_signed
                             ? static_cast<double>(static_cast<std::int32_t>(bits << unused) >> unused)
                             : static_cast<double>(bits);
    return steps * spec.scale + spec.offset;
}

}  // namespace i2c_input
