#include "i2c.hpp"

#include <algorithm>
#include <utility>

#include "register_spec.hpp"

namespace i2c_input {

namespace plugin = holdfast::plugin;

namespace {

const ChipKind& kind_of(std::string_view chip) {
    const auto kinds = chip_kinds();
    const auto found =
        std::find_if(kinds.begin(), kinds.end(), [&](const ChipKind& kind) { return chip == kind.name; });
    if (found != kinds.end()) return *found;
    std::string known;
    for (const ChipKind& kind : kinds)
        known += (known.empty() ? "" : ", ") + std::string(kind.name);
    plugin::fail(EINVAL, "chip: there is no '" + std::string(chip) + "', only " + known);
}

// Below and above are addresses with a meaning of their own (I2C specification, UM10204, 3.1.12). Without 0x
// it may be meant either way: i2cdetect prints them so.
std::uint16_t address_of(const ChipKind& kind, const std::string& text) {
    if (text.empty() && kind.address != 0) return kind.address;
    const auto address = to_small_number(text, 0x77);
    if (!address || *address < 8 || !text.starts_with("0x"))
        plugin::fail(EINVAL, "address: is a number from 0x08 to 0x77, written with 0x, such as 0x48" +
                                 (text.empty() ? std::string() : ", and not '" + text + "'"));
    return *address;
}

struct Choice {
    std::uint16_t address;
    std::unique_ptr<Chip> chip;
    plugin::Channel<std::int64_t> errors;
};

// What the options name. Throws EINVAL where they are wrong.
Choice choose(const plugin::Host& host) {
    const ChipKind& kind = kind_of(host.text("chip"));
    const std::uint16_t address = address_of(kind, host.text("address"));
    if (!host.map("registers").empty() && kind.make != make_registers)
        plugin::fail(EINVAL, "registers: is only for chip = \"registers\"");
    if (host.text("bus").empty()) plugin::fail(EINVAL, "bus: names none");
    return {address, kind.make(host), host.channel<std::int64_t>("bus_errors")};
}

}  // namespace

void I2c::check(plugin::Host host) {
    choose(host);
}

I2c::I2c(plugin::Host host, device::Control control, Pause wait) : host_(host), control_(std::move(control)) {
    Choice choice = choose(host);
    chip_ = std::move(choice.chip);
    errors_ = choice.errors;
    bus_.emplace(host.sensor_root(), host.text("bus"), choice.address, control_, std::move(wait));
    chip_->begin(*bus_);
}

void I2c::sample() {
    reading_.clear();
    chip_->read(*bus_, reading_);
    reading_.set(errors_, bus_->errors());
    host_.emit(reading_);
}

}  // namespace i2c_input
