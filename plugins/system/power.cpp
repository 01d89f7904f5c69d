// What a Raspberry Pi's firmware says of its supply and of its throttling.

#include "shared/sensors/hwmon_tree.hpp"
#include "source.hpp"

namespace system_input {

namespace {

// Documentation/hwmon/raspberrypi-hwmon.rst: the alarm says that the supply was too low since the driver last
// asked the firmware, which it does every two seconds.
class Power final : public Source {
    void sample(SensorFiles& files, double, Values& values) override {
        for (const sensors::Device& chip : sensors::hwmon_chips(files)) {
            if (chip.name != "rpi_volt") continue;
            const auto alarm = files.read_word({chip.directory, "/in0_lcrit_alarm"});
            if (alarm == "0" || alarm == "1") values.set({"power.under_voltage"}, "", alarm == "1");
        }
    }
};

struct Bit {
    unsigned number;
    std::string_view channel;
};
// Raspberry Pi documentation, "vcgencmd", get_throttled: what is, and what was. rpi_volt has the firmware
// forget what was, each time it asks (drivers/hwmon/raspberrypi-hwmon.c).
constexpr Bit bits[] = {{0, "throttling.under_voltage"},       {1, "throttling.frequency_capped"},
                        {2, "throttling.throttled"},           {3, "throttling.temperature_limit"},
                        {16, "throttling.under_voltage_seen"}, {17, "throttling.frequency_capped_seen"},
                        {18, "throttling.throttled_seen"},     {19, "throttling.temperature_limit_seen"}};

class Throttling final : public Source {
    void sample(SensorFiles& files, double, Values& values) override {
        const auto flags = read_flags(files);
        if (!flags) return;
        for (const Bit& bit : bits)
            values.set({bit.channel}, "", (*flags >> bit.number & 1U) != 0);
    }

    // The firmware's device has another name on each generation of boards: the driver's directory leads to
    // it.
    static std::optional<std::uint32_t> read_flags(SensorFiles& files) {
        constexpr std::string_view driver = "/sys/bus/platform/drivers/raspberrypi-firmware";
        for (const std::string& device : files.list(driver, ""))
            if (const auto text = files.read_word({driver, "/", device, "/get_throttled"}))
                return flags_in(*text);
        const auto text = files.read_word({"/sys/devices/platform/soc/soc:firmware/get_throttled"});
        return text ? flags_in(*text) : std::nullopt;
    }

    // Hexadecimal without a prefix (drivers/firmware/raspberrypi.c of the Raspberry Pi kernel).
    static std::optional<std::uint32_t> flags_in(std::string_view text) {
        return to_number<std::uint32_t>(text, 16);
    }
};

}  // namespace

std::unique_ptr<Source> make_power(const Selection&) {
    return std::make_unique<Power>();
}

std::unique_ptr<Source> make_throttling(const Selection&) {
    return std::make_unique<Throttling>();
}

}  // namespace system_input
