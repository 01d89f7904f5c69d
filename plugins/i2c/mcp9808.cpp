// Temperature: Microchip MCP9808, within half a degree.
//
// Source: MCP9808 data sheet DS25095, 5.1.3 (three flags, then 13 bits in two's complement, 1/16 degree a
// step), 5.1.4 and 5.1.5 (ids).
#include "chip.hpp"

namespace i2c_input {

namespace plugin = holdfast::plugin;

namespace {

constexpr std::uint8_t ambient_register = 5;
constexpr std::uint8_t manufacturer_register = 6;
constexpr std::uint8_t device_register = 7;
constexpr std::uint16_t microchip = 0x0054;
constexpr std::uint16_t mcp9808 = 0x04;  // in the high byte; the low one is the revision

class Mcp9808 final : public Chip {
  public:
    explicit Mcp9808(const plugin::Host& host) : temperature_(host.channel<double>("temperature", "Cel")) {}

    void begin(Bus& bus) override {
        bus.require(I2C_FUNC_SMBUS_WORD_DATA);
        const std::uint16_t manufacturer = bus.converse([&] { return bus.read_word(manufacturer_register); });
        const std::uint16_t device = bus.converse([&] { return bus.read_word(device_register); });
        if (manufacturer != microchip || device >> 8 != mcp9808)
            plugin::fail(ENODEV, "the chip at " + bus.where() + " is no MCP9808: its ids are " +
                                     hex(manufacturer) + " and " + hex(device));
    }

    void read(Bus& bus, plugin::Reading& reading) override {
        const std::uint16_t word = bus.converse([&] { return bus.read_word(ambient_register); });
        // Without the flags, and with the sign at the top.
        const auto steps = static_cast<std::int16_t>(word << 3);
        reading.set(temperature_, steps / 128.0);
    }

  private:
    plugin::Channel<double> temperature_;
};

}  // namespace

std::unique_ptr<Chip> make_mcp9808(const plugin::Host& host) {
    return std::make_unique<Mcp9808>(host);
}

}  // namespace i2c_input
