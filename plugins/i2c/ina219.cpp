// Voltage, current and power: Texas Instruments INA219.
//
// Current and power are reckoned here from the two voltages that the chip measures, and not by the chip,
// which would need a calibration that it forgets when its supply fails. Source: INA219 data sheet SBOS448,
// "Configuration Register", "Shunt Voltage Register" (10 uV a step), "Bus Voltage Register" (bits 15 to 3, 4
// mV a step).
#include "chip.hpp"

namespace i2c_input {

namespace plugin = holdfast::plugin;

namespace {

constexpr std::uint8_t config_register = 0;
constexpr std::uint8_t shunt_register = 1;
constexpr std::uint8_t bus_register = 2;
constexpr unsigned mode = 7;                   // in config_register
constexpr unsigned both_continuously = 7;      // as after a reset
constexpr std::uint16_t after_reset = 0x399F;  // 32 V, 320 mV, 12 bits
constexpr double shunt_step = 10e-6;
constexpr double bus_step = 4e-3;

class Ina219 final : public Chip {
  public:
    explicit Ina219(const plugin::Host& host)
        : shunt_ohms_(host.number("shunt")),
          bus_voltage_(host.channel<double>("bus_voltage", "V")),
          shunt_voltage_(host.channel<double>("shunt_voltage", "V")),
          current_(host.channel<double>("current", "A")),
          power_(host.channel<double>("power", "W")) {
        if (!(shunt_ohms_ > 0)) plugin::fail(EINVAL, "shunt: is the resistance in ohms, above zero");
    }

    void begin(Bus& bus) override {
        bus.require(I2C_FUNC_SMBUS_WORD_DATA);
        bus.converse([&] { start(bus); });
    }

    void read(Bus& bus, plugin::Reading& reading) override {
        std::int16_t shunt = 0;
        std::uint16_t bus_voltage = 0;
        bus.converse([&] {
            shunt = static_cast<std::int16_t>(bus.read_word(shunt_register));
            bus_voltage = bus.read_word(bus_register);
        });
        const double volts = (bus_voltage >> 3) * bus_step;
        const double amperes = shunt * shunt_step / shunt_ohms_;
        reading.set(bus_voltage_, volts);
        reading.set(shunt_voltage_, shunt * shunt_step);
        reading.set(current_, amperes);
        reading.set(power_, volts * amperes);
    }

  private:
    // Range and averaging that someone has set are left alone: the steps are the same with all of them.
    static void start(Bus& bus) {
        if ((bus.read_word(config_register) & mode) != both_continuously)
            bus.write_word(config_register, after_reset);
    }

    double shunt_ohms_;
    plugin::Channel<double> bus_voltage_;
    plugin::Channel<double> shunt_voltage_;
    plugin::Channel<double> current_;
    plugin::Channel<double> power_;
};

}  // namespace

std::unique_ptr<Chip> make_ina219(const plugin::Host& host) {
    return std::make_unique<Ina219>(host);
}

}  // namespace i2c_input
