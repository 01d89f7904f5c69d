// holdfast plugin-test FILE.so: whether a plugin keeps to its contract, tried in plugin hosts.
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>

#include "cli/command.hpp"
#include "cli/plugin_trial.hpp"
#include "cli/plugin_verdict.hpp"
#include "config/options.hpp"

namespace holdfast::cli {
namespace {

using Kind = Finding::Kind;
using std::chrono::milliseconds;

constexpr std::uint32_t many_rounds = 300;
constexpr milliseconds many_rounds_limit{20'000};
constexpr milliseconds call_limit{10'000};
// For the first reading of a plugin that has none to give at once.
constexpr milliseconds patience{5'000};

// A directory without anything in it, gone with the object.
class EmptyDirectory {
  public:
    EmptyDirectory() {
        std::string pattern = std::filesystem::temp_directory_path() / "holdfast-plugin-test-XXXXXX";
        if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
    }
    EmptyDirectory(const EmptyDirectory&) = delete;
    EmptyDirectory& operator=(const EmptyDirectory&) = delete;
    ~EmptyDirectory() {
        std::error_code failure;
        if (!path_.empty()) std::filesystem::remove_all(path_, failure);
    }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

// Values that a configuration may hold and a plugin may not expect.
std::vector<OptionValue> unusual_values(const OptionInfo& option) {
    using Integers = std::numeric_limits<std::int64_t>;
    const std::string long_text(4096, 'x');
    switch (option.type) {
        case OptionType::string:
            if (!option.choices.empty()) return {option.choices.begin(), option.choices.end()};
            return {std::string(), std::string("/nonexistent/holdfast-plugin-test"), std::string("%n%s: ä"),
                    long_text};
        case OptionType::i64:
            return {Integers::min(), std::int64_t{-1}, std::int64_t{0}, Integers::max()};
        case OptionType::f64:
            return {-1.0, 0.0, 1e308, std::numeric_limits<double>::quiet_NaN()};
        case OptionType::boolean:
            return {true, false};
        case OptionType::duration:
        case OptionType::size:
            return {std::int64_t{0}, std::int64_t{1} << 50U};
        case OptionType::string_list:
            return {std::vector<std::string>{}, std::vector<std::string>{"", "/nonexistent", long_text}};
        case OptionType::string_map:
            return {Tags{}, Tags{{"a", ""}, {"b-c", "/nonexistent"}, {"d", long_text}}};
    }
    return {};
}

// A value as a person would look for it in a configuration.
std::string shown(const OptionValue& value) {
    if (const auto* text = std::get_if<std::string>(&value))
        return text->size() > 40 ? "a text of " + std::to_string(text->size()) + " bytes" : '"' + *text + '"';
    if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
    if (const auto* number = std::get_if<double>(&value)) return std::to_string(*number);
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    const auto* list = std::get_if<std::vector<std::string>>(&value);
    const std::size_t count = list != nullptr ? list->size() : std::get<Tags>(value).size();
    return std::to_string(count) + " items";
}

class ContractTest {
  public:
    ContractTest(InputEnvironment environment, std::filesystem::path file)
        : environment_(std::move(environment)), file_(std::move(file)), name_(file_.stem()) {
        configuration_.plugin_path = file_;
        configuration_.sensor_root = environment_.sensor_root;
        configuration_.interval_us = 1'000'000;
        configuration_.trial = true;
    }

    // Options, interval and memory of a configured input.
    void configure(const InputConfig& input) {
        configuration_.interval_us = input.interval.count();
        configuration_.options = input.options;
        memory_limit_ = input.memory_limit;
        configured_ = true;
    }

    int run() {
        const auto plugin = describe_plugin(environment_, name_);
        if (!plugin) {
            say({Kind::failed, "descriptor", plugin.error().text});
            return conclude();
        }
        plugin_ = *plugin;
        say({Kind::ok, "descriptor", plugin_.name + " " + plugin_.version + ", of this agent's ABI"});
        say(plugin_.name == name_
                ? Finding{Kind::ok, "name", "the file's"}
                : Finding{Kind::failed, "name",
                          "it is \"" + plugin_.name + "\", the file's is \"" + name_ + '"'});
        say(judge_options(plugin_));
        take_defaults();
        if (ready_) {
            try_sampling();
            try_twice();
            try_empty_root();
            try_many_rounds();
        }
        try_unusual_options();
        return conclude();
    }

  private:
    void say(const Finding& finding) {
        std::string verdict = finding.kind == Kind::ok       ? "ok"
                              : finding.kind == Kind::failed ? "FAILED"
                                                             : "skipped";
        ++counts_[static_cast<std::size_t>(finding.kind)];
        verdict.resize(9, ' ');
        print(verdict + finding.what + ": " + finding.why + "\n");
    }

    int conclude() {
        const std::size_t failures = counts_[static_cast<std::size_t>(Kind::failed)];
        print(std::to_string(counts_[0]) + " ok, " + std::to_string(failures) + " failed, " +
              std::to_string(counts_[static_cast<std::size_t>(Kind::skipped)]) + " skipped\n");
        return failures == 0 ? done : failed;
    }

    // Without a configuration the plugin is opened with its defaults, which do when no option is required.
    void take_defaults() {
        if (configured_)
            return say({Kind::skipped, "defaults", "it is tried with the configuration's options"});
        std::string missing;
        for (const OptionInfo& option : plugin_.options)
            if (!option.default_text) missing += (missing.empty() ? "" : ", ") + option.key;
        config::Report report({"defaults"});
        configuration_.options = config::read_options(plugin_, nullptr, {}, report);
        ready_ = missing.empty();
        if (!ready_)
            say({Kind::skipped, "opening and sampling",
                 "required: " + missing + "; give an [[input]] with --config FILE"});
    }

    // The exercise, once it is over; null when not even a host can be started, which is said.
    std::unique_ptr<PluginTrial> exercise(const frame::Configure& configuration, std::uint32_t rounds,
                                          milliseconds limit) {
        auto trial =
            PluginTrial::start(environment_, name_, memory_limit_, frame::Exercise{configuration, rounds, 2});
        if (!trial) {
            say({Kind::failed, "plugin host", trial.error().text});
            return nullptr;
        }
        (*trial)->finish(limit);
        return *std::move(trial);
    }

    // What is wrong with a short exercise whatever it met; empty when nothing is.
    static std::string fault_of(const PluginTrial& trial) {
        if (!trial.disaster().empty()) return trial.disaster();
        for (const Finding& finding : {judge_codes(trial.rounds()), judge_emits(trial.rounds())})
            if (finding.kind == Kind::failed) return finding.why;
        return {};
    }

    // What the last round of a sound one met.
    static std::string outcome_of(const PluginTrial& trial) {
        if (trial.readings() > 0)
            return std::to_string(trial.readings()) + " readings on " + std::to_string(trial.channels()) +
                   " channels";
        if (trial.rounds().empty()) return "no round";
        const frame::Round& round = trial.rounds().back();
        if (round.open_code < 0) return "open: " + describe_code(round.open_code, round.said);
        if (round.sample_code < 0) return "sample: " + describe_code(round.sample_code, round.said);
        return "it has nothing to say yet";
    }

    void try_sampling() {
        const bool fixture = !configuration_.sensor_root.empty();
        const std::string what = fixture ? "sampling under the sensor root" : "sampling on this machine";
        const auto trial = exercise(configuration_, 2, call_limit);
        if (!trial) return;
        const std::string fault = fault_of(*trial);
        if (!fault.empty()) return say({Kind::failed, what, fault});
        if (trial->readings() > 0) return say({Kind::ok, what, outcome_of(*trial)});
        // It may need time between samples, or wait for an event.
        const auto patient = PluginTrial::start(environment_, name_, memory_limit_, configuration_);
        if (!patient) return say({Kind::failed, what, patient.error().text});
        (*patient)->follow(patience,
                           [&] { return (*patient)->readings() > 0 || (*patient)->failures() > 0; });
        if ((*patient)->readings() > 0) return say({Kind::ok, what, outcome_of(**patient)});
        // A machine need not have the device; a sensor root was given because it has.
        say({fixture ? Kind::failed : Kind::skipped, what, outcome_of(*trial)});
    }

    void try_empty_root() {
        const EmptyDirectory empty;
        frame::Configure configuration = configuration_;
        configuration.sensor_root = empty.path();
        const auto trial = exercise(configuration, 2, call_limit);
        if (!trial) return;
        const std::string fault = fault_of(*trial);
        say({fault.empty() ? Kind::ok : Kind::failed, "an empty sensor root",
             fault.empty() ? outcome_of(*trial) : fault});
    }

    // Two inputs of one plugin at the same time, as the agent runs them; and that both end when asked to.
    void try_twice() {
        const std::string what = "two inputs at once";
        auto first = PluginTrial::start(environment_, name_, memory_limit_, configuration_);
        auto second = PluginTrial::start(environment_, name_, memory_limit_, configuration_);
        if (!first || !second) return say({Kind::failed, what, (first ? second : first).error().text});
        const std::array<PluginTrial*, 2> trials = {first->get(), second->get()};
        for (PluginTrial* trial : trials) {
            const bool answered =
                trial->follow(call_limit, [&] { return trial->opened() || trial->open_failure(); });
            if (!answered) return say({Kind::failed, what, "open did not return within 10 s"});
        }
        for (PluginTrial* trial : trials) {
            trial->finish(milliseconds(0));
            if (!trial->disaster().empty()) return say({Kind::failed, what, trial->disaster()});
        }
        for (const PluginTrial* trial : trials)
            if (trial->open_failure())
                return say({Kind::skipped, what, "open failed: " + trial->open_failure()->text});
        say({Kind::ok, what, "both open, and both end when they are asked to"});
    }

    void try_many_rounds() {
        const auto trial = exercise(configuration_, many_rounds, many_rounds_limit);
        if (!trial) return;
        if (!trial->disaster().empty())
            return say({Kind::failed, "open, sample and close over and over",
                        trial->disaster() + " after " + std::to_string(trial->rounds().size()) + " rounds"});
        say(judge_codes(trial->rounds()));
        say(judge_emits(trial->rounds()));
        for (const Finding& finding : judge_leaks(trial->rounds()))
            say(finding);
    }

    // Whether it can be asked of these options, which `trial` opened it with, and does not refuse what it
    // opens with.
    std::string fault_of_check(const frame::Configure& configuration, const PluginTrial& trial) {
        const auto asked =
            PluginTrial::start(environment_, name_, memory_limit_, frame::Check{configuration});
        if (!asked) return asked.error().text;
        const auto& refused = (*asked)->open_failure();
        if (!(*asked)->follow(call_limit, [&] { return (*asked)->opened() || refused; }))
            return "check did not return within 10 s";
        if (!(*asked)->disaster().empty()) return "check: " + (*asked)->disaster();
        if (refused && !trial.rounds().empty() && trial.rounds().front().open_code >= 0)
            return "check refuses what open takes: " + refused->text;
        return {};
    }

    void try_unusual_options() {
        std::size_t tried = 0;
        std::string faults;
        for (const OptionInfo& option : plugin_.options) {
            for (const OptionValue& value : unusual_values(option)) {
                frame::Configure configuration = configuration_;
                for (Option& each : configuration.options)
                    if (each.key == option.key) each.value = value;
                const auto trial = exercise(configuration, 2, call_limit);
                if (!trial) return;
                ++tried;
                std::string fault = fault_of(*trial);
                if (fault.empty()) fault = fault_of_check(configuration, *trial);
                if (fault.empty()) continue;
                faults += (faults.empty() ? "" : "; ") + option.key + " = " + shown(value) + ": " + fault;
                break;
            }
        }
        if (plugin_.options.empty()) return say({Kind::skipped, "unusual options", "it takes none"});
        say({faults.empty() ? Kind::ok : Kind::failed, "unusual options",
             faults.empty() ? std::to_string(tried) + " values, taken or refused" : faults});
    }

    InputEnvironment environment_;
    std::filesystem::path file_;
    std::string name_;
    frame::Configure configuration_;
    Bytes memory_limit_ = InputConfig{}.memory_limit;
    bool configured_ = false;
    bool ready_ = true;
    PluginInfo plugin_;
    std::size_t counts_[3] = {0, 0, 0};
};

}  // namespace

int plugin_test(const Arguments& arguments) {
    if (arguments.operands.size() != 1 || !arguments.operands.front().ends_with(".so")) {
        std::fprintf(stderr, "holdfast: 'plugin-test' takes the file of one plugin, NAME.so\n");
        return wrong_usage;
    }
    std::error_code failure;
    const auto file = std::filesystem::canonical(arguments.operands.front(), failure);
    if (failure)
        return complain(Error{Error::Kind::gone, arguments.operands.front() + ": " + failure.message()});

    Places places = arguments.places;
    places.inputs.plugin_directory = file.parent_path();
    ContractTest contract(places.inputs, file);
    if (!places.config_files.empty()) {
        const LoadedConfig loaded = load_and_report(places);
        if (!loaded.config) return wrong_config;
        const auto& inputs = loaded.config->inputs;
        const auto input = std::find_if(inputs.begin(), inputs.end(),
                                        [&](const InputConfig& i) { return i.plugin == file.stem(); });
        if (input == inputs.end())
            return complain(Error{Error::Kind::config, "the configuration has no input with plugin = \"" +
                                                           file.stem().string() + '"'});
        contract.configure(*input);
    }
    return contract.run();
}

}  // namespace holdfast::cli
