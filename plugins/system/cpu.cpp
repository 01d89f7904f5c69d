// Time per mode, of all processors together and of each: /proc/stat.
#include <numeric>

#include "counters.hpp"
#include "source.hpp"

namespace system_input {

namespace {

// In the order of /proc/stat. Guest time, which follows there, is part of user and nice already.
constexpr std::array<std::string_view, 8> modes = {"user",   "nice", "system",  "idle",
                                                   "iowait", "irq",  "softirq", "steal"};
constexpr std::size_t idle = 3;
constexpr std::size_t iowait = 4;
using Times = Counters<modes.size()>;

std::optional<Times> parse_times(std::string_view line) {
    Times times{};
    for (std::size_t i = 0; i < times.size(); ++i) {
        const auto ticks = take_number<std::uint64_t>(line);
        if (!ticks && i <= idle) return std::nullopt;
        times[i] = ticks.value_or(0);
    }
    return times;
}

std::uint64_t sum(const Times& times) {
    return std::accumulate(times.begin(), times.end(), std::uint64_t{0});
}

double percent(std::uint64_t part, std::uint64_t whole) {
    return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

double usage(const Times& times) {
    return percent(sum(times) - times[idle] - times[iowait], sum(times));
}

// Calls found(name, growth) for "cpu" and each "cpuN" whose clock ticked since the sample before.
template <typename Found>
void for_each_processor(SensorFiles& files, CounterHistory<modes.size()>& history, Found found) {
    std::string_view text = files.read({"/proc/stat"}).value_or("");
    while (text.starts_with("cpu")) {
        std::string_view line = take_line(text);
        const std::string_view name = take_word(line);
        const auto times = parse_times(line);
        if (!times) continue;
        // "In addition, the value of iowait will decrease in certain conditions":
        // Documentation/filesystems/proc.rst.
        const auto growth = history.growth(name, *times, iowait);
        if (growth && sum(*growth) > 0) found(name, *growth);
    }
    history.end_sample();
}

class Cpu final : public Source {
    void sample(SensorFiles& files, double, Values& values) override {
        for_each_processor(files, history_, [&](std::string_view name, const Times& times) {
            if (name != "cpu") return;
            values.set({"cpu.usage"}, "%", usage(times));
            for (std::size_t i = 0; i < modes.size(); ++i)
                values.set({"cpu.", modes[i]}, "%", percent(times[i], sum(times)));
        });
    }
    CounterHistory<modes.size()> history_;
};

class Cores final : public Source {
    void sample(SensorFiles& files, double, Values& values) override {
        for_each_processor(files, history_, [&](std::string_view name, const Times& times) {
            if (name != "cpu") values.set({"cpu.core", name.substr(3), ".usage"}, "%", usage(times));
        });
    }
    CounterHistory<modes.size()> history_;
};

}  // namespace

std::unique_ptr<Source> make_cpu(const Selection&) {
    return std::make_unique<Cpu>();
}

std::unique_ptr<Source> make_cores(const Selection&) {
    return std::make_unique<Cores>();
}

}  // namespace system_input
