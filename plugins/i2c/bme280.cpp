// Temperature, pressure and humidity: Bosch BME280, and BMP280, which is the same without humidity.
//
// Each sample is a measurement of its own (forced mode, no oversampling, no filter): it needs nothing that
// was set before, so that a chip that lost its supply for a moment goes on. Sources: BME280 data sheet,
// revision 1.6, 3.3, 5.4 and 9.1; BMP280 data sheet, revision 1.23, 3.6 and 4.3.
#include <array>

#include "bme280_formula.hpp"
#include "chip.hpp"

namespace i2c_input {

namespace plugin = holdfast::plugin;

namespace {

constexpr std::uint8_t id_register = 0xD0;
constexpr std::uint8_t ctrl_hum = 0xF2;
constexpr std::uint8_t status = 0xF3;
constexpr std::uint8_t ctrl_meas = 0xF4;
constexpr std::uint8_t data = 0xF7;
constexpr std::uint8_t measuring = 1 << 3;                  // in status
constexpr std::uint8_t humidity_once = 1;                   // osrs_h
constexpr std::uint8_t measure_once = 1 << 5 | 1 << 2 | 1;  // osrs_t, osrs_p, forced mode
constexpr std::int64_t measure_us = 9300;                   // all three, the longest that it takes
constexpr int most_polls = 10;
constexpr std::int32_t skipped = 0x80000;  // what the data registers hold without a measurement
constexpr std::int32_t skipped_humidity = 0x8000;

enum class Has { pressure, pressure_and_humidity };

class Bme280 final : public Chip {
  public:
    Bme280(const plugin::Host& host, Has has)
        : has_humidity_(has == Has::pressure_and_humidity),
          temperature_(host.channel<double>("temperature", "Cel")),
          pressure_(host.channel<double>("pressure", "Pa")) {
        if (has_humidity_) humidity_ = host.channel<double>("humidity", "%RH");
    }

    void begin(Bus& bus) override {
        bus.require(I2C_FUNC_SMBUS_BYTE_DATA | I2C_FUNC_SMBUS_READ_I2C_BLOCK);
        check_id(bus);
        bus.converse([&] { read_calibration(bus); });
    }

    void read(Bus& bus, plugin::Reading& reading) override {
        std::array<std::uint8_t, 8> raw{};
        bus.converse([&] { measure(bus, raw); });
        const double fine = fine_temperature(calibration_, twenty_bits(raw, 3));
        reading.set(temperature_, celsius(fine));
        reading.set(pressure_, pascals(calibration_, fine, twenty_bits(raw, 0)));
        if (has_humidity_) reading.set(humidity_, humidity_percent(calibration_, fine, raw[6] << 8 | raw[7]));
    }

  private:
    void check_id(Bus& bus) const {
        const std::uint8_t id = bus.converse([&] { return bus.read_byte(id_register); });
        const bool is_bme = id == 0x60;
        const bool is_bmp = id >= 0x56 && id <= 0x58;  // 0x56 and 0x57 are samples
        if (has_humidity_ ? is_bme : is_bmp) return;
        plugin::fail(ENODEV, "the chip at " + bus.where() + " has the id " + hex(id) +
                                 (is_bme   ? ": it is a BME280, chip = \"bme280\""
                                  : is_bmp ? ": it is a BMP280, chip = \"bmp280\""
                                           : ": it is neither a BME280 nor a BMP280"));
    }

    void read_calibration(Bus& bus) {
        std::array<std::uint8_t, 24> first{};
        bus.read_block(0x88, first);
        read_temperature_and_pressure(first, calibration_);
        if (calibration_.t1 == 0 || calibration_.p1 == 0)
            throw BusError{EPROTO, "the chip's calibration is empty"};
        if (!has_humidity_) return;
        std::array<std::uint8_t, 7> second{};
        bus.read_block(0xE1, second);
        read_humidity(bus.read_byte(0xA1), second, calibration_);
    }

    // What is set for humidity holds from the next write to ctrl_meas on, which also starts the measurement.
    void measure(Bus& bus, std::array<std::uint8_t, 8>& raw) const {
        if (has_humidity_) bus.write_byte(ctrl_hum, humidity_once);
        bus.write_byte(ctrl_meas, measure_once);
        bus.wait_us(measure_us);
        for (int polls = 0; (bus.read_byte(status) & measuring) != 0; ++polls) {
            if (polls == most_polls) throw BusError{ETIMEDOUT, "the measurement did not end"};
            bus.wait_us(1000);
        }
        bus.read_block(data, std::span(raw).first(has_humidity_ ? 8 : 6));
        const bool humidity_is_there = !has_humidity_ || (raw[6] << 8 | raw[7]) != skipped_humidity;
        if (twenty_bits(raw, 0) == skipped || twenty_bits(raw, 3) == skipped || !humidity_is_there)
            throw BusError{EPROTO, "the chip did not measure"};
    }

    static std::int32_t twenty_bits(const std::array<std::uint8_t, 8>& raw, std::size_t at) {
        return raw[at] << 12 | raw[at + 1] << 4 | raw[at + 2] >> 4;
    }

    bool has_humidity_;
    Calibration calibration_;
    plugin::Channel<double> temperature_;
    plugin::Channel<double> pressure_;
    plugin::Channel<double> humidity_{};
};

}  // namespace

std::unique_ptr<Chip> make_bme280(const plugin::Host& host) {
    return std::make_unique<Bme280>(host, Has::pressure_and_humidity);
}

std::unique_ptr<Chip> make_bmp280(const plugin::Host& host) {
    return std::make_unique<Bme280>(host, Has::pressure);
}

}  // namespace i2c_input
