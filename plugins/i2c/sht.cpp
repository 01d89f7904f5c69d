// Temperature and humidity: Sensirion SHT30, SHT31, SHT35 and SHT40, SHT41, SHT43, SHT45.
//
// Sources: SHT3x-DIS data sheet, version 5 (2.2 measurement duration, 4.3 single shot, 4.11 status register,
// 4.13 conversion); SHT4x data sheet (3.1 measurement duration, 4.5 commands, 4.6 conversion).
#include <algorithm>
#include <array>

#include "chip.hpp"
#include "crc.hpp"

namespace i2c_input {

namespace plugin = holdfast::plugin;

namespace {

struct Model {
    std::span<const std::uint8_t> hello;  // something to be asked that is answered at once
    std::size_t hello_words;
    std::span<const std::uint8_t> measure;  // with high repeatability, without stretching the clock
    std::int64_t measure_us;                // the longest that it takes
    double humidity_offset;
    double humidity_span;
};

constexpr std::uint8_t sht3x_status[] = {0xF3, 0x2D};
constexpr std::uint8_t sht3x_measure[] = {0x24, 0x00};
constexpr std::uint8_t sht4x_serial[] = {0x89};
constexpr std::uint8_t sht4x_measure[] = {0xFD};

constexpr Model sht3x = {sht3x_status, 1, sht3x_measure, 15'500, 0, 100};
constexpr Model sht4x = {sht4x_serial, 2, sht4x_measure, 8300, -6, 125};
constexpr std::int64_t after_command_us = 1000;

// Two bytes and their checksum, as often as there are words.
using Words = std::array<std::uint16_t, 2>;
Words fetch(Bus& bus, std::size_t count) {
    std::array<std::uint8_t, 6> bytes{};
    bus.receive(std::span(bytes).first(count * 3));
    Words words{};
    for (std::size_t i = 0; i < count; ++i) {
        const auto word = std::span(bytes).subspan(i * 3, 2);
        if (sensirion_crc(word) != bytes[i * 3 + 2])
            throw BusError{EBADMSG, "an answer with a wrong checksum: bad wiring, or another chip"};
        words[i] = static_cast<std::uint16_t>(word[0] << 8 | word[1]);
    }
    return words;
}

class Sht final : public Chip {
  public:
    Sht(const plugin::Host& host, const Model& model)
        : model_(model),
          temperature_(host.channel<double>("temperature", "Cel")),
          humidity_(host.channel<double>("humidity", "%RH")) {}

    void begin(Bus& bus) override {
        bus.require(I2C_FUNC_I2C);
        bus.converse([&] {
            bus.send(model_.hello);
            bus.wait_us(after_command_us);
            fetch(bus, model_.hello_words);
        });
    }

    void read(Bus& bus, plugin::Reading& reading) override {
        const Words words = bus.converse([&] {
            bus.send(model_.measure);
            bus.wait_us(model_.measure_us);
            return fetch(bus, 2);
        });
        reading.set(temperature_, -45 + 175 * (words[0] / 65535.0));
        const double humidity = model_.humidity_offset + model_.humidity_span * (words[1] / 65535.0);
        // An SHT4x goes a little beyond what there is; its data sheet says to cut that off.
        reading.set(humidity_, std::clamp(humidity, 0.0, 100.0));
    }

  private:
    const Model& model_;
    plugin::Channel<double> temperature_;
    plugin::Channel<double> humidity_;
};

}  // namespace

std::unique_ptr<Chip> make_sht3x(const plugin::Host& host) {
    return std::make_unique<Sht>(host, sht3x);
}

std::unique_ptr<Chip> make_sht4x(const plugin::Host& host) {
    return std::make_unique<Sht>(host, sht4x);
}

}  // namespace i2c_input
