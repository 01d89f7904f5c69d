// Signal of wireless interfaces: /proc/net/wireless.
//
// As net/wireless/wext-proc.c of the kernel writes it: "name: status quality. level. noise. ...", where '.'
// marks a figure that is new. Level and noise are dBm when below 0, and -256 stands for one that the driver
// does not know. cfg80211 gives a quality from 0 to 70 (net/wireless/wext-compat.c).
#include "source.hpp"

namespace system_input {

namespace {

std::optional<std::int64_t> take_figure(std::string_view& line) {
    std::string_view word = take_word(line);
    if (word.ends_with('.')) word.remove_suffix(1);
    return to_number<std::int64_t>(word);
}

class Wireless final : public Source {
  public:
    explicit Wireless(sensors::Patterns selected) : selected_(std::move(selected)) {}

  private:
    void sample(SensorFiles& files, double, Values& values) override {
        std::string_view text = files.read({"/proc/net/wireless"}).value_or("");
        take_line(text);  // two lines of headings
        take_line(text);
        while (!text.empty()) {
            std::string_view line = take_line(text);
            const std::string_view name = take_word(line);
            if (!name.ends_with(':')) continue;
            put(name.substr(0, name.size() - 1), line, values);
        }
    }

    void put(std::string_view name, std::string_view line, Values& values) {
        if (name.empty() || !selected_.select({name})) return;
        take_word(line);  // status
        const auto quality = take_figure(line);
        const auto level = take_figure(line);
        const auto noise = take_figure(line);
        const std::string word = channel_word(name);
        const auto is_dbm = [](const std::optional<std::int64_t>& figure) {
            return figure && *figure < 0 && *figure > -256;
        };
        if (quality) values.set({"wireless.", word, ".quality"}, "", *quality);
        if (is_dbm(level)) values.set({"wireless.", word, ".signal"}, "dBm", *level);
        if (is_dbm(noise)) values.set({"wireless.", word, ".noise"}, "dBm", *noise);
    }

    sensors::Patterns selected_;
};

}  // namespace

std::unique_ptr<Source> make_wireless(const Selection& selection) {
    return std::make_unique<Wireless>(selection.interfaces);
}

}  // namespace system_input
