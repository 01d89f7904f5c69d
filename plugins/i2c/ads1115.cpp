// Voltages: Texas Instruments ADS1115, four inputs, 16 bits.
//
// Each input is a single conversion, asked for, waited for and fetched.
// Source: ADS1113/4/5 data sheet SBAS444, 9.3.3 (full scale), 9.5.4 (codes), 9.6 (registers), 7.5 (data rate
// within 10 %).
#include <algorithm>
#include <iterator>
#include <vector>

#include "chip.hpp"
#include "shared/text/spec.hpp"

namespace i2c_input {

namespace plugin = holdfast::plugin;

namespace {

constexpr std::uint8_t conversion_register = 0;
constexpr std::uint8_t config_register = 1;
// In config_register:
constexpr unsigned start = 1 << 15;  // reads as 1 when nothing is being converted
constexpr unsigned multiplexer = 12;
constexpr unsigned gain = 9;
constexpr unsigned single_shot = 1 << 8;
constexpr unsigned data_rate = 5;
constexpr unsigned no_comparator = 3;

// In the order of their codes.
constexpr std::string_view inputs[] = {"a0-a1", "a0-a3", "a1-a3", "a2-a3", "a0", "a1", "a2", "a3"};
constexpr double full_scales[] = {6.144, 4.096, 2.048, 1.024, 0.512, 0.256};
constexpr std::int64_t rates[] = {8, 16, 32, 64, 128, 250, 475, 860};

template <typename Value, std::size_t size>
unsigned code_of(const Value& value, const Value (&values)[size], const std::string& complaint) {
    const auto found = std::find(std::begin(values), std::end(values), value);
    if (found == std::end(values)) plugin::fail(EINVAL, complaint);
    return static_cast<unsigned>(found - std::begin(values));
}

class Ads1115 final : public Chip {
  public:
    explicit Ads1115(const plugin::Host& host) : full_scale_(host.number("full_scale")) {
        const unsigned full_scale = code_of(
            full_scale_, full_scales, "full_scale: is 6.144, 4.096, 2.048, 1.024, 0.512 or 0.256 volts");
        const std::int64_t rate = host.integer("rate");
        const unsigned rate_code =
            code_of(rate, rates, "rate: is 8, 16, 32, 64, 128, 250, 475 or 860 conversions a second");
        convert_us_ = 1'100'000 / rate + 100;
        for (const std::string& name : host.list("inputs")) {
            const unsigned code =
                code_of(std::string_view(name), inputs,
                        "inputs: there is no '" + name + "', only " + plugin_text::listed(inputs));
            const auto config =
                static_cast<std::uint16_t>(start | code << multiplexer | full_scale << gain | single_shot |
                                           rate_code << data_rate | no_comparator);
            for (const Input& other : inputs_)
                if (other.config == config) plugin::fail(EINVAL, "inputs: '" + name + "' is there twice");
            inputs_.push_back({config, host.channel<double>(name, "V")});
        }
        if (inputs_.empty()) plugin::fail(EINVAL, "inputs: names none of " + plugin_text::listed(inputs));
    }

    void begin(Bus& bus) override {
        bus.require(I2C_FUNC_SMBUS_WORD_DATA);
        bus.converse([&] { return bus.read_word(config_register); });
    }

    void read(Bus& bus, plugin::Reading& reading) override {
        for (const Input& input : inputs_) {
            const auto code =
                static_cast<std::int16_t>(bus.converse([&] { return convert(bus, input.config); }));
            reading.set(input.channel, code * full_scale_ / 32768);
        }
    }

  private:
    struct Input {
        std::uint16_t config;
        plugin::Channel<double> channel;
    };

    std::uint16_t convert(Bus& bus, std::uint16_t config) const {
        bus.write_word(config_register, config);
        bus.wait_us(convert_us_);
        constexpr int most_polls = 20;
        for (int polls = 0; (bus.read_word(config_register) & start) == 0; ++polls) {
            if (polls == most_polls) throw BusError{ETIMEDOUT, "the conversion did not end"};
            bus.wait_us(convert_us_ / most_polls + 100);
        }
        return bus.read_word(conversion_register);
    }

    double full_scale_;
    std::int64_t convert_us_ = 0;
    std::vector<Input> inputs_;
};

}  // namespace

std::unique_ptr<Chip> make_ads1115(const plugin::Host& host) {
    return std::make_unique<Ads1115>(host);
}

}  // namespace i2c_input
