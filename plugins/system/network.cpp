// Traffic of network interfaces: /proc/net/dev.
#include "counters.hpp"
#include "source.hpp"

namespace system_input {

namespace {

struct Field {
    std::size_t column;  // of /proc/net/dev, after the name
    std::string_view channel;
    const char* unit;
};
constexpr Field fields[] = {{0, ".rx_bytes", "By/s"},  {1, ".rx_packets", "1/s"}, {2, ".rx_errors", "1/s"},
                            {3, ".rx_drops", "1/s"},   {8, ".tx_bytes", "By/s"},  {9, ".tx_packets", "1/s"},
                            {10, ".tx_errors", "1/s"}, {11, ".tx_drops", "1/s"}};
constexpr std::size_t column_count = 12;

class Network final : public Source {
  public:
    explicit Network(sensors::Patterns selected) : selected_(std::move(selected)) {}

  private:
    void sample(SensorFiles& files, double elapsed_s, Values& values) override {
        std::string_view text = files.read({"/proc/net/dev"}).value_or("");
        take_line(text);  // two lines of headings
        take_line(text);
        while (!text.empty()) {
            std::string_view line = take_line(text);
            // The name may hold a colon ("eth0:1"); the counters never do.
            const std::size_t colon = line.rfind(':');
            if (colon == std::string_view::npos) continue;
            std::string_view head = line.substr(0, colon);
            const std::string_view name = take_word(head);
            line.remove_prefix(colon + 1);
            if (selected_.select({name})) put(name, line, elapsed_s, values);
        }
        history_.end_sample();
    }

    void put(std::string_view name, std::string_view line, double elapsed_s, Values& values) {
        Counters<column_count> now{};
        for (std::uint64_t& column : now) {
            const auto number = take_number<std::uint64_t>(line);
            if (!number) return;
            column = *number;
        }
        const auto growth = history_.growth(name, now);
        if (!growth || elapsed_s <= 0) return;
        const std::string word = channel_word(name);
        for (const Field& field : fields)
            values.set({"net.", word, field.channel}, field.unit,
                       static_cast<double>((*growth)[field.column]) / elapsed_s);
    }

    sensors::Patterns selected_;
    CounterHistory<column_count> history_;
};

}  // namespace

std::unique_ptr<Source> make_network(const Selection& selection) {
    return std::make_unique<Network>(selection.interfaces);
}

}  // namespace system_input
