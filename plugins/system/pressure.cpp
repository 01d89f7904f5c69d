// Pressure stall information, how long work waited for want of something: /proc/pressure.
#include "source.hpp"

namespace system_input {

namespace {

class Pressure final : public Source {
    void sample(SensorFiles& files, double, Values& values) override {
        for (const std::string_view resource : {"cpu", "memory", "io"}) {
            std::string_view text = files.read({"/proc/pressure/", resource}).value_or("");
            while (!text.empty())
                put(resource, take_line(text), values);
        }
    }

    // "some avg10=0.12 avg60=0.34 avg300=0.56 total=123456"
    static void put(std::string_view resource, std::string_view line, Values& values) {
        const std::string_view share = take_word(line);
        for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
            const std::string_view key = take_until(word, '=');
            const Values::Name name = {"pressure.", resource, ".", share, ".", key};
            if (key == "total") {
                if (const auto total = to_number<std::int64_t>(word)) values.set(name, "us", *total);
            } else if (const auto average = to_number<double>(word)) {
                values.set(name, "%", *average);
            }
        }
    }
};

}  // namespace

std::unique_ptr<Source> make_pressure(const Selection&) {
    return std::make_unique<Pressure>();
}

}  // namespace system_input
