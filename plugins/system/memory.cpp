// Memory and swap space: /proc/meminfo.
#include "source.hpp"

namespace system_input {

namespace {

struct Field {
    std::string_view key;  // as /proc/meminfo has it
    std::string_view channel;
};
constexpr Field fields[] = {
    {"MemTotal", "memory.total"},  {"MemFree", "memory.free"},  {"MemAvailable", "memory.available"},
    {"Buffers", "memory.buffers"}, {"Cached", "memory.cached"}, {"SwapTotal", "swap.total"},
    {"SwapFree", "swap.free"}};

class Memory final : public Source {
    void sample(SensorFiles& files, double, Values& values) override {
        const auto text = files.read({"/proc/meminfo"});
        if (!text) return;
        for (const Field& field : fields)
            if (const auto bytes = find(*text, field.key)) values.set({field.channel}, "By", *bytes);
        const auto total = find(*text, "MemTotal");
        const auto available = find(*text, "MemAvailable");
        if (total && available) values.set({"memory.used"}, "By", *total - *available);
        const auto swap_total = find(*text, "SwapTotal");
        const auto swap_free = find(*text, "SwapFree");
        if (swap_total && swap_free) values.set({"swap.used"}, "By", *swap_total - *swap_free);
    }

    static std::optional<std::int64_t> find(std::string_view text, std::string_view key) {
        while (!text.empty()) {
            std::string_view line = take_line(text);
            if (take_until(line, ':') != key) continue;
            const auto kibibytes = take_number<std::int64_t>(line);
            if (!kibibytes) return std::nullopt;
            return *kibibytes * 1024;
        }
        return std::nullopt;
    }
};

}  // namespace

std::unique_ptr<Source> make_memory(const Selection&) {
    return std::make_unique<Memory>();
}

}  // namespace system_input
