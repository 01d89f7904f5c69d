// README.md and sample.toml of each plugin, held against what the plugin says of itself.
#include <fstream>
#include <regex>
#include <sstream>

#include "i2c/chip.hpp"
#include "plugin_files.hpp"
#include "system/source.hpp"

namespace holdfast::test {
namespace {

struct Documented {
    std::string folder;
    const holdfast_plugin* descriptor;
    std::string file(const std::string& name) const {
        std::ifstream in(std::string(HOLDFAST_PLUGIN_SOURCES) + "/" + folder + "/" + name);
        std::ostringstream content;
        content << in.rdbuf();
        return content.str();
    }
};

std::vector<Documented> all_plugins() {
    return {{"system", &shipped_plugin("system")}, {"simulator", &shipped_plugin("simulator")},
            {"exec", &shipped_plugin("exec")},     {"file", &shipped_plugin("file")},
            {"hwmon", &shipped_plugin("hwmon")},   {"w1", &shipped_plugin("w1")},
            {"iio", &shipped_plugin("iio")},       {"gpio", &shipped_plugin("gpio")},
            {"i2c", &shipped_plugin("i2c")},       {"example", &PluginFile(HOLDFAST_EXAMPLE).descriptor()}};
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
        lines.push_back(line);
    return lines;
}

bool is_text(std::uint32_t type) {
    return type == HOLDFAST_OPTION_STRING || type == HOLDFAST_OPTION_DURATION || type == HOLDFAST_OPTION_SIZE;
}

// As the option stands in a configuration; empty where there is no default.
std::string default_in_toml(const holdfast_option& option) {
    if (option.default_value == nullptr) return "";
    const std::string value = option.default_value;
    return is_text(option.type) ? '"' + value + '"' : value;
}

bool has_line_beginning(const std::vector<std::string>& lines, const std::string& beginning) {
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
        return line == beginning || line.compare(0, beginning.size() + 1, beginning + " ") == 0;
    });
}

TEST(PluginDocuments, SampleHasEveryOptionWithItsDefault) {
    for (const Documented& plugin : all_plugins()) {
        const auto lines = lines_of(plugin.file("sample.toml"));
        EXPECT_TRUE(has_line_beginning(lines, "plugin = \"" + std::string(plugin.descriptor->name) + "\""));
        for (std::uint32_t i = 0; i < plugin.descriptor->option_count; ++i) {
            const holdfast_option& option = plugin.descriptor->options[i];
            std::string expected = std::string(option.key) + " =";
            if (option.default_value != nullptr) expected += " " + default_in_toml(option);
            EXPECT_TRUE(has_line_beginning(lines, expected))
                << plugin.folder << "/sample.toml lacks: " << expected;
        }
    }
}

TEST(PluginDocuments, SampleHasNoOptionThatThePluginDoesNotTake) {
    for (const Documented& plugin : all_plugins()) {
        const std::string text = plugin.file("sample.toml");
        std::size_t count = 0;
        for (const std::string& line : lines_of(text.substr(text.find("[input.options]"))))
            count += std::regex_search(line, std::regex("^[a-z_]+ ="));
        EXPECT_EQ(count, plugin.descriptor->option_count) << plugin.folder;
    }
}

TEST(PluginDocuments, ReadmeHasEveryOptionWithTypeAndDefault) {
    const std::map<std::uint32_t, std::string> types = {{HOLDFAST_OPTION_STRING, "string"},
                                                        {HOLDFAST_OPTION_I64, "integer"},
                                                        {HOLDFAST_OPTION_F64, "number"},
                                                        {HOLDFAST_OPTION_BOOL, "boolean"},
                                                        {HOLDFAST_OPTION_DURATION, "duration"},
                                                        {HOLDFAST_OPTION_SIZE, "size"},
                                                        {HOLDFAST_OPTION_STRING_LIST, "list of strings"},
                                                        {HOLDFAST_OPTION_STRING_MAP, "table of strings"}};
    for (const Documented& plugin : all_plugins()) {
        const std::string readme = plugin.file("README.md");
        for (std::uint32_t i = 0; i < plugin.descriptor->option_count; ++i) {
            const holdfast_option& option = plugin.descriptor->options[i];
            const std::string value =
                option.default_value == nullptr ? "required" : "`" + std::string(option.default_value) + "`";
            const std::string row =
                "| `" + std::string(option.key) + "` | " + types.at(option.type) + " | " + value + " |";
            EXPECT_NE(readme.find(row), std::string::npos) << plugin.folder << "/README.md lacks: " << row;
        }
    }
}

TEST(PluginDocuments, EveryOptionHasHelpAndADefaultAmongItsChoices) {
    for (const Documented& plugin : all_plugins())
        for (std::uint32_t i = 0; i < plugin.descriptor->option_count; ++i) {
            const holdfast_option& option = plugin.descriptor->options[i];
            EXPECT_EQ(option.size, sizeof option);
            EXPECT_GT(std::string(option.help).size(), 10U) << option.key;
            if (option.choices == nullptr || option.default_value == nullptr) continue;
            const std::string choices = "|" + std::string(option.choices) + "|";
            EXPECT_NE(choices.find("|" + std::string(option.default_value) + "|"), std::string::npos)
                << option.key;
        }
}

struct DocumentedChannel {
    std::regex name;
    std::string types;
    std::string unit;
};

// Rows of the tables of channels: | `name` | type | unit | meaning |, where <...> stands for anything.
std::vector<DocumentedChannel> documented_channels(const std::string& readme) {
    std::vector<DocumentedChannel> channels;
    const std::regex row(R"(^\| `([^`]+)` \| ([a-z0-9, ]+) \|(?: ([^| ]+))? \|.*\|$)");
    for (const std::string& line : lines_of(readme.substr(readme.find("## Channels")))) {
        std::smatch match;
        if (!std::regex_match(line, match, row)) continue;
        std::string name = std::regex_replace(match[1].str(), std::regex("\\."), "\\.");
        name = std::regex_replace(name, std::regex("<[^>]*>"), "[^.]+");
        channels.push_back({std::regex(name), match[2], match[3]});
    }
    return channels;
}

void expect_documented(const TestHost& host, const std::string& folder) {
    const std::string type_names[] = {"f64", "i64", "bool", "string"};
    const auto documented = documented_channels(Documented{folder, nullptr}.file("README.md"));
    for (const TestHost::DeclaredChannel& channel : host.channels) {
        const bool found =
            std::any_of(documented.begin(), documented.end(), [&](const DocumentedChannel& row) {
                return std::regex_match(channel.name, row.name) && row.types == type_names[channel.type] &&
                       row.unit == channel.unit;
            });
        EXPECT_TRUE(found) << folder << "/README.md lacks " << channel.name << " in " << channel.unit;
    }
}

// The plugin on a board's files declares no channel that its README does not have.
void expect_documented(const std::string& plugin, const std::string& board, std::size_t least_channels,
                       TestHost::Options options = {}) {
    TestHost host(shipped_plugin(plugin), std::move(options));
    host.sensor_root = std::string(HOLDFAST_FIXTURES) + "/" + board;
    host.interval_us = 0;
    ASSERT_EQ(host.open(), 0);
    ASSERT_EQ(host.sample(), 0);
    expect_documented(host, plugin);
    EXPECT_GE(host.channels.size(), least_channels);
}

TEST(PluginDocuments, ReadmeHasEveryChannelWithTypeAndUnit) {
    std::vector<std::string> groups;
    for (const system_input::Group& group : system_input::groups())
        groups.emplace_back(group.name);
    const TestHost::Options all = {{"collect", TestHost::list(groups)},
                                   {"processes", TestHost::list({"systemd"})}};
    expect_documented("system", "raspberry-pi-4", 20, all);
    expect_documented("system", "x86-box", 20, all);
    expect_documented("hwmon", "raspberry-pi-4", 2);
    expect_documented("hwmon", "odroid-xu3", 21);
    expect_documented("hwmon", "x86-desktop", 37);
    expect_documented("w1", "beaglebone-w1", 5);
    expect_documented("iio", "raspberry-pi-iio", 7);
    expect_documented("iio", "beaglebone-adc", 7);
}

TEST(PluginDocuments, ReadmeOfI2cHasEveryChannelOfEveryChipAndEveryAddress) {
    const std::string readme = Documented{"i2c", nullptr}.file("README.md");
    for (const i2c_input::ChipKind& kind : i2c_input::chip_kinds()) {
        if (kind.address == 0) continue;  // its channels are the user's
        TestHost host(shipped_plugin("i2c"), {{"chip", kind.name}});
        host.sensor_root = "/nonexistent";  // channels are declared before the bus is looked for
        EXPECT_EQ(host.open(), -ENODEV);
        expect_documented(host, "i2c");
        EXPECT_GE(host.channels.size(), 2U);
        const std::regex row("\\| `" + std::string(kind.name) + "` \\| [^|]+ \\| `" +
                             i2c_input::hex(kind.address) + "` \\|");
        EXPECT_TRUE(std::regex_search(readme, row)) << kind.name;
    }
}

}  // namespace
}  // namespace holdfast::test
