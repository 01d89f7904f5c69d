// Traffic of whole disks: /proc/diskstats.
#include "counters.hpp"
#include "source.hpp"

namespace system_input {

namespace {

// Documentation/admin-guide/iostats.rst: fields after the name, counted from 0. A sector is 512 bytes for
// every device.
constexpr std::size_t reads = 0;
constexpr std::size_t sectors_read = 2;
constexpr std::size_t writes = 4;
constexpr std::size_t sectors_written = 6;
constexpr std::size_t busy_ms = 9;
constexpr std::size_t field_count = 10;
constexpr double sector_bytes = 512;

class DiskIo final : public Source {
  public:
    explicit DiskIo(sensors::Patterns selected) : selected_(std::move(selected)) {}

  private:
    void sample(SensorFiles& files, double elapsed_s, Values& values) override {
        // A copy: looking for the disk's directory uses the buffer.
        table_ = files.read({"/proc/diskstats"}).value_or("");
        const bool knows_disks = files.exists({"/sys/block"});
        for (std::string_view text = table_; !text.empty();) {
            std::string_view line = take_line(text);
            take_word(line);  // major and minor number
            take_word(line);
            const std::string_view name = take_word(line);
            if (name.empty() || !selected_.select({name})) continue;
            // Partitions are not listed there.
            if (knows_disks && !files.exists({"/sys/block/", name})) continue;
            put(name, line, elapsed_s, values);
        }
        history_.end_sample();
    }

    void put(std::string_view name, std::string_view line, double elapsed_s, Values& values) {
        Counters<field_count> now{};
        for (std::uint64_t& field : now) {
            const auto number = take_number<std::uint64_t>(line);
            if (!number) return;
            field = *number;
        }
        // In flight now: goes up and down.
        now[8] = 0;
        const auto growth = history_.growth(name, now);
        if (!growth || elapsed_s <= 0) return;
        const auto rate = [&](std::size_t field) {
            return static_cast<double>((*growth)[field]) / elapsed_s;
        };
        const std::string word = channel_word(name);
        values.set({"diskio.", word, ".read_bytes"}, "By/s", rate(sectors_read) * sector_bytes);
        values.set({"diskio.", word, ".write_bytes"}, "By/s", rate(sectors_written) * sector_bytes);
        values.set({"diskio.", word, ".reads"}, "1/s", rate(reads));
        values.set({"diskio.", word, ".writes"}, "1/s", rate(writes));
        values.set({"diskio.", word, ".busy"}, "%", std::min(100.0, rate(busy_ms) / 10));
    }

    sensors::Patterns selected_;
    CounterHistory<field_count> history_;
    std::string table_;
};

}  // namespace

std::unique_ptr<Source> make_diskio(const Selection& selection) {
    return std::make_unique<DiskIo>(selection.disks);
}

}  // namespace system_input
