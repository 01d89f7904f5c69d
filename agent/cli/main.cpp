// holdfast COMMAND: finds the command, reads its options, runs it.
#include <getopt.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <set>

#include "base/version.hpp"
#include "cli/command.hpp"

namespace holdfast::cli {
namespace {

constexpr std::array commands = {
    Command{"run", "", "", "run the agent in the foreground: what the service starts", run},
    Command{"check", "", "start online publish", "check the configuration; --online also tries each server",
            check},
    Command{"test", "[INPUT...]", "json", "sample the configured inputs once and print the readings", test},
    Command{"status", "", "json watch", "show what the running agent is doing", status},
    Command{"plugins", "[NAME]", "", "list the plugins, or print the options and a sample of one", plugins},
    Command{"discover", "", "", "look what this machine has, and print a configuration that would read it",
            discover},
    Command{"plugin-test", "FILE.so", "", "try whether a plugin keeps to its contract", plugin_test},
    Command{"buffer", "stat|export|check|salvage|purge|refused [FILE]", "json yes all",
            "look into the buffer, write it out, check, salvage or empty it", buffer},
    Command{"listen", "[FILTER...]", "json count qos", "print the messages that arrive at the broker",
            listen},
    Command{"version", "", "", "print the version and those of its libraries", show_version},
};

struct OptionHelp {
    const char* name;
    int argument;
    std::string_view shown;
    std::string_view help;
};
constexpr std::array common_options = {
    OptionHelp{"config", required_argument, "--config FILE",
               "use this file instead of /etc/holdfast; may be repeated, later ones win"},
    OptionHelp{"state-dir", required_argument, "--state-dir DIR",
               "where the buffer is (default /var/lib/holdfast)"},
    OptionHelp{"runtime-dir", required_argument, "--runtime-dir DIR",
               "where the control socket is (default /run/holdfast)"},
    OptionHelp{"plugin-dir", required_argument, "--plugin-dir DIR", "where the plugins are"},
    OptionHelp{"sensor-root", required_argument, "--sensor-root DIR",
               "put before /sys, /proc and /dev by the inputs"},
    OptionHelp{"help", no_argument, "--help", "print this"},
};
constexpr std::array own_options = {
    OptionHelp{"json", no_argument, "--json", "print JSON"},
    OptionHelp{"watch", no_argument, "--watch", "print again every second until interrupted"},
    OptionHelp{"start", no_argument, "--start", "only what would keep the service from starting"},
    OptionHelp{"online", no_argument, "--online", "also resolve, connect and log in to each server"},
    OptionHelp{"publish", no_argument, "--publish", "as --online, and publish a test message"},
    OptionHelp{"yes", no_argument, "--yes", "delete without asking"},
    OptionHelp{"all", no_argument, "--all", "all messages that are set aside (buffer refused)"},
    OptionHelp{"count", required_argument, "--count N", "stop after N messages"},
    OptionHelp{"qos", required_argument, "--qos N", "0, 1 or 2 (default 1)"},
};

bool takes(const Command& command, std::string_view option) {
    std::string_view rest = command.options;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(' '), rest.size());
        if (rest.substr(0, end) == option) return true;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return false;
}

void append_options(std::string& out, const OptionHelp& option) {
    out += "  ";
    out += option.shown;
    out.append(option.shown.size() < 20 ? 20 - option.shown.size() : 1, ' ');
    out += option.help;
    out += '\n';
}

std::string command_help(const Command& command) {
    std::string out = "usage: holdfast " + std::string(command.name) + " [OPTION...]";
    if (!command.operands.empty()) out += " " + std::string(command.operands);
    out += "\n" + std::string(command.summary) + "\n\n";
    for (const OptionHelp& option : own_options)
        if (takes(command, option.name)) append_options(out, option);
    for (const OptionHelp& option : common_options)
        append_options(out, option);
    return out;
}

std::string general_help() {
    std::string out =
        "usage: holdfast COMMAND [OPTION...]\n"
        "Takes in sensor readings, keeps them through outages, forwards them over TLS MQTT.\n\n";
    for (const Command& command : commands) {
        const std::string shown = std::string(command.name) + " " + std::string(command.operands);
        out += "  " + shown + std::string(shown.size() < 20 ? 20 - shown.size() : 1, ' ') +
               std::string(command.summary) + "\n";
    }
    return out +
           "\nholdfast COMMAND --help tells the options of a command; see also holdfast(1) and "
           "holdfast.toml(5).\n";
}

int usage_error(const std::string& text) {
    std::fprintf(stderr, "holdfast: %s\nTry 'holdfast --help'.\n", text.c_str());
    return wrong_usage;
}

std::optional<long> parse_count(const char* text) {
    long value = 0;
    const char* end = text + std::char_traits<char>::length(text);
    const auto [at, failure] = std::from_chars(text, end, value);
    if (failure != std::errc{} || at != end || value < 0) return std::nullopt;
    return value;
}

// In a build tree the plugin host and the plugins lie beside the binary.
Places default_places() {
    Places places;
    std::error_code failure;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
    const auto beside = self.parent_path();
    const bool build_tree = std::filesystem::exists(beside / "plugin-host", failure);
    places.inputs.host_program =
        build_tree ? beside / "plugin-host" : std::filesystem::path(HOLDFAST_PLUGIN_HOST);
    places.inputs.plugin_directory =
        build_tree ? beside / "plugins" : std::filesystem::path(HOLDFAST_PLUGIN_DIRECTORY);
    return places;
}

// Takes one option's value; a text when it is wrong.
std::optional<std::string> set_option(Arguments& arguments, std::string_view name, const char* value) {
    const auto path = [&] { return std::filesystem::absolute(value).lexically_normal(); };
    if (name == "config") arguments.places.config_files.push_back(path());
    if (name == "state-dir") arguments.places.state_directory = path();
    if (name == "runtime-dir") arguments.places.runtime_directory = path();
    if (name == "plugin-dir") arguments.places.inputs.plugin_directory = path();
    if (name == "sensor-root") arguments.places.inputs.sensor_root = path();
    if (name == "json") arguments.json = true;
    if (name == "watch") arguments.watch = true;
    if (name == "yes") arguments.yes = true;
    if (name == "all") arguments.all = true;
    if (name == "start") arguments.start = true;
    if (name == "online") arguments.online = true;
    if (name == "publish") arguments.online = arguments.publish = true;
    if (name == "count" || name == "qos") {
        const auto number = parse_count(value);
        if (!number || (name == "qos" && *number > 2))
            return "--" + std::string(name) + " takes a number" + (name == "qos" ? " from 0 to 2" : "");
        if (name == "count") arguments.count = *number;
        if (name == "qos") arguments.qos = static_cast<int>(*number);
    }
    return std::nullopt;
}

int run_command(const Command& command, int argc, char** argv) {
    std::vector<option> long_options;
    for (const OptionHelp& o : common_options)
        long_options.push_back({o.name, o.argument, nullptr, 0});
    for (const OptionHelp& o : own_options)
        if (takes(command, o.name)) long_options.push_back({o.name, o.argument, nullptr, 0});
    long_options.push_back({});

    Arguments arguments;
    arguments.places = default_places();
    std::set<std::string_view> given;
    opterr = 0;
    for (;;) {
        int index = 0;
        const int got = getopt_long(argc, argv, ":h", long_options.data(), &index);
        if (got == -1) break;
        if (got == ':') return usage_error(std::string(argv[optind - 1]) + " needs a value");
        if (got == '?')
            return usage_error("'" + std::string(command.name) + "' does not know " + argv[optind - 1]);
        const std::string_view name =
            got == 'h' ? "help" : long_options[static_cast<std::size_t>(index)].name;
        const bool may_come_again = name == "config" || optarg == nullptr;
        if (!may_come_again && !given.insert(name).second)
            return usage_error("--" + std::string(name) + " is given twice");
        if (name == "help") return print(command_help(command)) ? done : failed;
        if (const auto wrong = set_option(arguments, name, optarg)) return usage_error(*wrong);
    }
    arguments.operands.assign(argv + optind, argv + argc);
    if (command.operands.empty() && !arguments.operands.empty())
        return usage_error("'" + std::string(command.name) + "' takes no " + arguments.operands.front());
    return command.run(arguments);
}

int main_command(int argc, char** argv) {
    if (argc < 2) {
        std::fputs(general_help().c_str(), stderr);
        return wrong_usage;
    }
    const std::string_view name = argv[1];
    if (name == "--help" || name == "-h" || name == "help") return print(general_help()) ? done : failed;
    if (name == "--version") return show_version({});
    const auto command =
        std::find_if(commands.begin(), commands.end(), [&](const Command& c) { return c.name == name; });
    if (command == commands.end()) return usage_error("there is no command '" + std::string(name) + "'");
    return run_command(*command, argc - 1, argv + 1);
}

}  // namespace

LoadedConfig load_and_report(const Places& places, const CheckOptions& check) {
    LoadedConfig loaded = load_config(
        places.files_to_load(), [&](const std::string& name) { return describe_plugin(places.inputs, name); },
        check);
    for (const ConfigProblem& problem : loaded.problems)
        std::fprintf(stderr, "%s\n", to_string(problem).c_str());
    return loaded;
}

LoadedConfig load_and_check(const Places& places, const std::vector<std::string>& inputs) {
    return load_and_report(places, [&](const InputConfig& input) -> Result<std::vector<std::string>> {
        const bool is_meant =
            inputs.empty() || std::find(inputs.begin(), inputs.end(), input.name) != inputs.end();
        if (!is_meant) return std::vector<std::string>{};
        return check_options(places.inputs, input);
    });
}

bool print(std::string_view text) {
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
}

int complain(const Error& error) {
    std::fprintf(stderr, "holdfast: %s\n", error.text.c_str());
    return failed;
}

}  // namespace holdfast::cli

int main(int argc, char** argv) {
    return holdfast::cli::main_command(argc, argv);
}
