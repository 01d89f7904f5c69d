// Temperature: LM75 and the many chips like it.
//
// Register 0 holds degrees in two's complement, the point after the first byte, the bits that a chip has at
// the top. Sources: LM75 data sheet SNIS153, 7.5 (9 bits); LM75B data sheet of NXP, 7.4.3 (11 bits); TMP102
// data sheet SBOS397, 6.5.2 (12 bits, or 13 in extended mode, which the lowest bit tells).
#include "chip.hpp"

namespace i2c_input {

namespace plugin = holdfast::plugin;

namespace {

class Lm75 final : public Chip {
  public:
    Lm75(const plugin::Host& host, unsigned bits)
        : bits_(bits), temperature_(host.channel<double>("temperature", "Cel")) {}

    void begin(Bus& bus) override {
        bus.require(I2C_FUNC_SMBUS_WORD_DATA);
        bus.converse([&] { return bus.read_word(0); });
    }

    void read(Bus& bus, plugin::Reading& reading) override {
        const std::uint16_t word = bus.converse([&] { return bus.read_word(0); });
        const bool extended = bits_ == 12 && (word & 1) != 0;
        const unsigned bits = extended ? 13 : bits_;
        const int steps = static_cast<std::int16_t>(word) >> (16 - bits);
        const int steps_a_degree = extended ? 1 << (bits - 9) : 1 << (bits - 8);
        reading.set(temperature_, static_cast<double>(steps) / steps_a_degree);
    }

  private:
    unsigned bits_;
    plugin::Channel<double> temperature_;
};

}  // namespace

std::unique_ptr<Chip> make_tmp102(const plugin::Host& host) {
    return std::make_unique<Lm75>(host, 12);
}

std::unique_ptr<Chip> make_lm75(const plugin::Host& host) {
    return std::make_unique<Lm75>(host, 9);
}

std::unique_ptr<Chip> make_lm75b(const plugin::Host& host) {
    return std::make_unique<Lm75>(host, 11);
}

}  // namespace i2c_input
