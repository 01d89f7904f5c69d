// Load averages and the time since boot: /proc/loadavg, /proc/uptime.
#include "source.hpp"

namespace system_input {

namespace {

class Load final : public Source {
    void sample(SensorFiles& files, double, Values& values) override {
        std::string_view text = files.read({"/proc/loadavg"}).value_or("");
        for (const std::string_view channel : {"load.1", "load.5", "load.15"})
            if (const auto load = take_number<double>(text)) values.set({channel}, "", *load);
    }
};

class Uptime final : public Source {
    void sample(SensorFiles& files, double, Values& values) override {
        std::string_view text = files.read({"/proc/uptime"}).value_or("");
        if (const auto seconds = take_number<double>(text)) values.set({"uptime"}, "s", *seconds);
    }
};

}  // namespace

std::unique_ptr<Source> make_load(const Selection&) {
    return std::make_unique<Load>();
}

std::unique_ptr<Source> make_uptime(const Selection&) {
    return std::make_unique<Uptime>();
}

}  // namespace system_input
