// holdfast test: one sample of each input, on the real path from plugin to payload, without buffer or broker.
#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <map>

#include "base/json_writer.hpp"
#include "cli/command.hpp"
#include "daemon/agent.hpp"
#include "forward/payload.hpp"

namespace holdfast::cli {
namespace {

constexpr auto patience = std::chrono::seconds(10);
// A line or sample that failed may be followed by one that is well.
constexpr auto patience_with_errors = std::chrono::seconds(2);

std::string value_text(const Value& value) {
    std::string out;
    JsonWriter json(out);
    switch (value.type) {
        case ValueType::f64:
            json.number(value.f64);
            break;
        case ValueType::i64:
            json.number(value.i64);
            break;
        case ValueType::boolean:
            json.boolean(value.boolean);
            break;
        case ValueType::string:
            json.text(value.string);
            break;
    }
    return out;
}

using TableRow = std::array<std::string, 4>;

// Columns two blanks apart; a cell that is very long moves those behind it in its own line alone.
std::string aligned(const std::vector<TableRow>& rows) {
    constexpr std::size_t widest = 40;
    std::array<std::size_t, 4> widths{};
    for (const TableRow& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], std::min(row[i].size(), widest));
    std::string out;
    for (const TableRow& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            out += "  " + row[i];
            const bool last = i + 1 == row.size();
            if (!last && row[i].size() < widths[i]) out.append(widths[i] - row[i].size(), ' ');
        }
        out += '\n';
    }
    return out;
}

// Keeps the first reading of each input: as a table for people, as a batch for the payload.
class FirstReadings final : public ReadingSink {
  public:
    FirstReadings(const Config& config, const Clock& clock)
        : clock_(clock), pipeline_(config.agent, config.batch, clock, [this](Batch batch) {
              batches_.push_back(std::move(batch));
          }) {
        pipeline_.configure(config.inputs);
    }

    void begin_stream(const std::string& input) override { pipeline_.begin_stream(input); }
    void accept(const std::string& input, const Reading& reading,
                const std::vector<Channel>& channels) override {
        if (!seen_.try_emplace(input).second) return;
        pipeline_.accept(input, reading, channels);
        seen_[input] = table(reading, channels);
    }

    bool has(const std::string& input) const { return seen_.contains(input); }
    const std::string& text(const std::string& input) { return seen_[input]; }
    const std::vector<Batch>& batches() {
        pipeline_.flush();
        return batches_;
    }

  private:
    // A line for each value; all of a reading have one age.
    std::string table(const Reading& reading, const std::vector<Channel>& channels) const {
        const std::int64_t now = reading.base == TimeBase::boot ? clock_.boot_us() : clock_.wall_us();
        char age[32];
        std::snprintf(age, sizeof age, "%.3f s", static_cast<double>(now - reading.time_us) / 1e6);
        std::vector<TableRow> rows = {{"CHANNEL", "VALUE", "UNIT", "AGE"}};
        for (const Value& value : reading.values) {
            const Channel& channel = channels[value.channel];
            rows.push_back({channel.name, value_text(value), channel.unit, age});
        }
        std::string out = aligned(rows);
        for (const TagView& tag : reading.tags)
            out += "  tag " + std::string(tag.key) + " = " + std::string(tag.value) + "\n";
        return out;
    }

    const Clock& clock_;
    Pipeline pipeline_;
    std::vector<Batch> batches_;
    std::map<std::string, std::string> seen_;
};

// An input that gave a reading, or won't soon, is settled.
bool settled(const InputStatus& input, const FirstReadings& readings, bool errors_count) {
    return readings.has(input.name) || (errors_count && !input.last_error.empty()) ||
           input.state != InputState::running;
}

int report(const std::vector<InputStatus>& inputs, FirstReadings& readings) {
    int code = done;
    for (const InputStatus& input : inputs) {
        std::string out = input.name + " (" + input.plugin + ")\n";
        if (readings.has(input.name)) {
            out += readings.text(input.name);
        } else {
            code = failed;
            out += "  no reading: " +
                   (input.last_error.empty() ? "nothing came within 10 s" : input.last_error) + "\n";
        }
        if (!print(out)) return failed;
    }
    return code;
}

int report_json(const std::vector<InputStatus>& inputs, FirstReadings& readings, const Config& config) {
    int code = done;
    PayloadEncoder encoder({config.agent.id, 0, config.batch.timestamp_unit});
    for (const Batch& batch : readings.batches()) {
        const auto payload = encoder.encode(batch);
        if (!payload) return complain(payload.error());
        if (!print(payload->json + "\n")) return failed;
    }
    for (const InputStatus& input : inputs) {
        if (readings.has(input.name)) continue;
        code = failed;
        std::fprintf(stderr, "holdfast: %s: no reading: %s\n", input.name.c_str(), input.last_error.c_str());
    }
    return code;
}

// Leaves the named inputs only; a name that is not there is an error of usage.
bool select_inputs(std::vector<InputConfig>& inputs, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        const bool known =
            std::any_of(inputs.begin(), inputs.end(), [&](const InputConfig& i) { return i.name == name; });
        if (known) continue;
        std::fprintf(stderr, "holdfast: no input is named \"%s\"\n", name.c_str());
        return false;
    }
    std::erase_if(inputs, [&](const InputConfig& input) {
        return !names.empty() && std::find(names.begin(), names.end(), input.name) == names.end();
    });
    return true;
}

}  // namespace

int test(const Arguments& arguments) {
    prepare_process();
    LoadedConfig loaded = load_and_check(arguments.places, arguments.operands);
    if (!loaded.config) return wrong_config;
    Config& config = *loaded.config;
    if (!select_inputs(config.inputs, arguments.operands)) return wrong_usage;
    if (config.inputs.empty()) return complain({Error::Kind::config, "no input is configured"});

    const SystemClock clock;
    StderrLog log(StderrLog::Style::plain);
    log.set_level(LogLevel::warning);
    auto loop = SdEventLoop::create();
    if (!loop) return complain(loop.error());
    FirstReadings readings(config, clock);
    InputEnvironment environment = arguments.places.inputs;
    environment.trial = true;
    Inputs inputs(**loop, clock, log, std::move(environment), readings);
    auto timer = (*loop)->timer([&] { (*loop)->quit(); });
    if (!timer) return complain(timer.error());
    (*timer)->set(clock.now() + patience);
    bool errors_count = false;
    auto errors_timer = (*loop)->timer([&] { errors_count = true; });
    if (!errors_timer) return complain(errors_timer.error());
    (*errors_timer)->set(clock.now() + patience_with_errors);
    (*loop)->after_turn([&] {
        const auto status = inputs.status();
        if (std::all_of(status.begin(), status.end(),
                        [&](const InputStatus& i) { return settled(i, readings, errors_count); }))
            (*loop)->quit();
    });
    inputs.configure(config.inputs);
    if (auto ran = (*loop)->run(); !ran) return complain(ran.error());
    const auto status = inputs.status();
    inputs.stop();
    return arguments.json ? report_json(status, readings, config) : report(status, readings);
}

}  // namespace holdfast::cli
