// Any chip whose values are in registers: what `registers` names of them.
#include <array>
#include <vector>

#include "chip.hpp"
#include "register_spec.hpp"
#include "shared/text/spec.hpp"

namespace i2c_input {

namespace plugin = holdfast::plugin;

namespace {

class Registers final : public Chip {
  public:
    explicit Registers(const plugin::Host& host) {
        std::vector<std::string> mistakes;
        for (const auto& [name, text] : host.map("registers")) {
            try {
                add(host, name, parse_register_spec(text));
            } catch (const plugin_text::SpecError& error) {
                mistakes.push_back("registers." + name + ": " + error.what());
            } catch (const std::system_error&) {
                mistakes.push_back("registers." + name + ": this name or unit cannot be a channel's");
            }
        }
        if (!mistakes.empty()) plugin::fail(EINVAL, plugin_text::joined(mistakes, "; "));
        if (registers_.empty())
            plugin::fail(EINVAL, "registers: names none, as { level = \"0x10 u16 scale=0.1\" } would");
    }

    void begin(Bus& bus) override {
        bus.require(needed_);
        bus.converse([&] { return value_of(bus, registers_.front().spec); });
    }

    void read(Bus& bus, plugin::Reading& reading) override {
        for (const Register& each : registers_)
            reading.set(each.channel, bus.converse([&] { return value_of(bus, each.spec); }));
    }

  private:
    struct Register {
        RegisterSpec spec;
        plugin::Channel<double> channel;
    };

    void add(const plugin::Host& host, const std::string& name, const RegisterSpec& spec) {
        if (name == "bus_errors")
            throw plugin_text::SpecError("this is the channel that counts errors of the bus");
        registers_.push_back({spec, host.channel<double>(name, spec.unit.c_str())});
        needed_ |= spec.bytes == 1   ? I2C_FUNC_SMBUS_READ_BYTE_DATA
                   : spec.bytes == 2 ? I2C_FUNC_SMBUS_READ_WORD_DATA
                                     : I2C_FUNC_SMBUS_READ_I2C_BLOCK;
    }

    // Each value in one transfer, so that its bytes belong together.
    static double value_of(Bus& bus, const RegisterSpec& spec) {
        std::array<std::uint8_t, 4> bytes{};
        if (spec.bytes == 1) {
            bytes[0] = bus.read_byte(spec.number);
        } else if (spec.bytes == 2) {
            const std::uint16_t word = bus.read_word(spec.number);
            bytes = {static_cast<std::uint8_t>(word >> 8), static_cast<std::uint8_t>(word & 0xFF)};
        } else {
            bus.read_block(spec.number, std::span(bytes).first(spec.bytes));
        }
        return register_value(spec, bytes);
    }

    unsigned long needed_ = 0;  // of the bus
    std::vector<Register> registers_;
};

}  // namespace

std::unique_ptr<Chip> make_registers(const plugin::Host& host) {
    return std::make_unique<Registers>(host);
}

}  // namespace i2c_input
