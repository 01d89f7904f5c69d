#include "cli/machine_look.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>

#include "base/utf8.hpp"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

using Lines = std::vector<std::string>;

// Fit for a comment of TOML: one line of UTF-8 without control characters, of bounded length.
std::string plain(std::string text) {
    constexpr std::size_t longest = 120;
    text.resize(first_bytes(text, longest).size());
    const bool sound = is_utf8(text);
    for (char& c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F || (!sound && byte >= 0x80)) c = '?';
    }
    return text;
}

// The first line of a file; empty when there is none.
std::string first_line(const fs::path& file) {
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    return plain(line);
}

// By number, then by name: hwmon2 before hwmon10.
bool comes_before(const fs::path& a, const fs::path& b) {
    const std::string x = a.filename();
    const std::string y = b.filename();
    return std::pair(x.size(), x) < std::pair(y.size(), y);
}

// What is in a directory under names that begin so, in order; nothing when it is not there.
std::vector<fs::path> entries(const fs::path& directory, std::string_view beginning = {}) {
    std::vector<fs::path> found;
    std::error_code failure;
    fs::directory_iterator each(directory, failure);
    for (; !failure && each != fs::directory_iterator(); each.increment(failure))
        if (each->path().filename().native().starts_with(beginning)) found.push_back(each->path());
    std::sort(found.begin(), found.end(), comes_before);
    return found;
}

std::string name_of(const fs::path& path) {
    return plain(path.filename());
}

bool is_there(const fs::path& path) {
    std::error_code failure;
    return fs::exists(path, failure);
}

std::string join(const Lines& words) {
    std::string text;
    for (const std::string& word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text;
}

// "a: NAME" for each entry, NAME being the first line of a file in it.
Lines named(const std::vector<fs::path>& found, const char* file) {
    Lines lines;
    for (const fs::path& entry : found) {
        const std::string name = first_line(entry / file);
        lines.push_back(name_of(entry) + (name.empty() ? "" : ": " + name));
    }
    return lines;
}

// Network interfaces are told from CAN by their type: ARPHRD_CAN of linux/if_arp.h.
bool is_can(const fs::path& interface) {
    return first_line(interface / "type") == "280";
}

void look_at_system(const fs::path& root, std::vector<ProposedInput>& out) {
    Lines network;
    for (const fs::path& interface : entries(root / "sys/class/net"))
        if (!is_can(interface))
            network.push_back(name_of(interface) + " (" + first_line(interface / "operstate") + ")");
    Lines disks;
    for (const fs::path& disk : entries(root / "sys/block"))
        if (is_there(disk / "device")) disks.push_back(name_of(disk));
    ProposedInput input{"host", "system", "10s", {}, {}, {}};
    input.found.emplace_back("processor, memory, load, file systems");
    if (!network.empty()) input.found.push_back("network: " + join(network));
    if (!disks.empty()) input.found.push_back("disks: " + join(disks));
    out.push_back(std::move(input));
}

void look_at_hwmon(const fs::path& root, std::vector<ProposedInput>& out) {
    std::vector<fs::path> chips = entries(root / "sys/class/hwmon", "hwmon");
    // What w1 reads, and hwmon only when asked by name.
    std::erase_if(chips, [](const fs::path& chip) { return first_line(chip / "name") == "w1_slave_temp"; });
    ProposedInput input{"board", "hwmon", "30s", named(chips, "name"), {}, {}};
    const Lines zones = named(entries(root / "sys/class/thermal", "thermal_zone"), "type");
    input.found.insert(input.found.end(), zones.begin(), zones.end());
    if (!input.found.empty()) out.push_back(std::move(input));
}

// Families as the kernel's Documentation/w1/slaves/w1_therm.rst has them.
bool is_thermometer(std::string_view id) {
    constexpr std::array<std::string_view, 5> families = {"10-", "22-", "28-", "3b-", "42-"};
    return std::any_of(families.begin(), families.end(),
                       [&](std::string_view family) { return id.starts_with(family); });
}

void look_at_w1(const fs::path& root, std::vector<ProposedInput>& out) {
    ProposedInput input{"thermometers", "w1", "1m", {}, {}, {}};
    ProposedInput others{
        "", "", "", {}, {"1-Wire devices that are no thermometers: no plugin reads them yet"}, {}};
    for (const fs::path& device : entries(root / "sys/bus/w1/devices")) {
        const std::string id = name_of(device);
        if (is_thermometer(id))
            input.found.push_back(id);
        else if (!id.starts_with("w1_bus_master"))
            others.found.push_back(id);
    }
    if (!input.found.empty()) {
        input.advice.push_back("give them names: names = { " + input.found.front() + " = \"boiler\" }");
        out.push_back(std::move(input));
    }
    if (!others.found.empty()) out.push_back(std::move(others));
}

void look_at_iio(const fs::path& root, std::vector<ProposedInput>& out) {
    ProposedInput input{
        "iio", "iio", "10s", named(entries(root / "sys/bus/iio/devices", "iio:device"), "name"), {}, {}};
    if (!input.found.empty()) out.push_back(std::move(input));
}

void look_at_gpio(const fs::path& root, std::vector<ProposedInput>& out) {
    ProposedInput input{"lines", "gpio", "30s", {}, {}, {}};
    for (const fs::path& chip : entries(root / "dev", "gpiochip"))
        input.found.push_back(name_of(chip));
    if (input.found.empty()) return;
    input.advice = {"what is connected to which line, only you know: gpioinfo lists them",
                    "the service sees no device until that is opened to it: apt install holdfast-bus-gpio"};
    input.options = {"lines = { door = \"" + input.found.front() +
                     ":17 edges active-low pull-up debounce=20ms\" }"};
    input.incomplete = true;
    out.push_back(std::move(input));
}

// The chips on a bus that the kernel knows of: "1-0076 (bmp280, in use by the driver bmp280)".
Lines chips_on(const fs::path& devices, const std::string& bus) {
    Lines chips;
    for (const fs::path& device : entries(devices, bus + "-")) {
        std::error_code failure;
        const fs::path driver = fs::read_symlink(device / "driver", failure);
        chips.push_back(name_of(device) + " (" + first_line(device / "name") +
                        (failure ? ")" : ", in use by the driver " + name_of(driver) + ")"));
    }
    return chips;
}

void look_at_i2c(const fs::path& root, std::vector<ProposedInput>& out) {
    const fs::path devices = root / "sys/bus/i2c/devices";
    for (const fs::path& bus : entries(devices, "i2c-")) {
        const std::string number = name_of(bus).substr(4);
        const bool is_bus = !number.empty() && std::all_of(number.begin(), number.end(),
                                                           [](char c) { return c >= '0' && c <= '9'; });
        if (!is_bus) continue;
        ProposedInput input{
            "i2c-" + number, "i2c", "30s", {"bus " + number + ": " + first_line(bus / "name")}, {}, {}};
        const Lines chips = chips_on(devices, number);
        input.found.insert(input.found.end(), chips.begin(), chips.end());
        input.advice = {
            "which chip is there, only you know: i2cdetect -y " + number + " lists the addresses that answer",
            "what a driver has in use, hwmon or iio reads",
            "the service sees no device until that is opened to it: apt install holdfast-bus-i2c"};
        input.options = {"chip = \"bme280\"", "bus = \"" + number + "\"", "address = \"0x76\""};
        input.incomplete = true;
        out.push_back(std::move(input));
    }
}

// A port that is there: the 8250 driver has names for some that are not (type 0, PORT_UNKNOWN of
// linux/serial_core.h).
bool is_serial_port(const fs::path& terminal) {
    return is_there(terminal / "device") && first_line(terminal / "type") != "0";
}

void look_at_serial_and_can(const fs::path& root, std::vector<ProposedInput>& out) {
    ProposedInput serial{
        "", "", "", {}, {"serial ports: no plugin reads them yet; exec can run a program that does"}, {}};
    for (const fs::path& terminal : entries(root / "sys/class/tty"))
        if (is_serial_port(terminal)) serial.found.push_back("/dev/" + name_of(terminal));
    for (const fs::path& link : entries(root / "dev/serial/by-id")) {
        std::error_code failure;
        serial.found.push_back("/dev/serial/by-id/" + name_of(link) + " is " +
                               name_of(fs::read_symlink(link, failure)));
    }
    ProposedInput can{
        "", "", "", {}, {"CAN interfaces: no plugin reads them yet; exec can run a program that does"}, {}};
    for (const fs::path& interface : entries(root / "sys/class/net"))
        if (is_can(interface))
            can.found.push_back(name_of(interface) + " (" + first_line(interface / "operstate") + ")");
    for (ProposedInput* input : {&serial, &can})
        if (!input->found.empty()) out.push_back(std::move(*input));
}

bool is_installed(const std::string& plugin, const Lines& installed) {
    return std::find(installed.begin(), installed.end(), plugin) != installed.end();
}

// Temperatures that the board's input has need not come a second time with the machine's own.
void leave_temperatures_to_hwmon(std::vector<ProposedInput>& inputs, const Lines& installed) {
    const auto reads = [](const char* plugin) {
        return [plugin](const ProposedInput& input) { return input.plugin == plugin; };
    };
    const auto system = std::find_if(inputs.begin(), inputs.end(), reads("system"));
    const bool are_read =
        is_installed("hwmon", installed) && std::any_of(inputs.begin(), inputs.end(), reads("hwmon"));
    if (system == inputs.end() || !are_read) return;
    system->options = {
        R"(collect = ["cpu", "cores", "memory", "load", "disks", "diskio", "network", "wireless", "power", )"
        R"("uptime", "pressure"])"};
}

}  // namespace

std::vector<ProposedInput> look_at_machine(const fs::path& root) {
    const fs::path top = root.empty() ? fs::path("/") : root;
    std::vector<ProposedInput> inputs;
    for (const auto look : {look_at_system, look_at_hwmon, look_at_w1, look_at_iio, look_at_gpio, look_at_i2c,
                            look_at_serial_and_can})
        look(top, inputs);
    return inputs;
}

void note_configured(std::vector<ProposedInput>& proposed, const std::vector<InputConfig>& configured) {
    for (ProposedInput& input : proposed)
        for (const InputConfig& other : configured)
            if (other.plugin == input.plugin) {
                input.advice.push_back("the input " + other.name + " is configured already");
                input.incomplete = true;
            }
}

std::string to_toml(std::vector<ProposedInput> inputs, const Lines& installed) {
    leave_temperatures_to_hwmon(inputs, installed);
    std::string out;
    for (const ProposedInput& input : inputs) {
        if (!out.empty()) out += '\n';
        for (const std::string& line : input.found)
            out += "# found: " + line + "\n";
        for (const std::string& line : input.advice)
            out += "# " + line + "\n";
        if (input.plugin.empty()) continue;
        const bool known = is_installed(input.plugin, installed);
        if (!known) out += "# the plugin " + input.plugin + " is not installed\n";
        const std::string start = known && !input.incomplete ? "" : "# ";
        out += start + "[[input]]\n" + start + "name = \"" + input.name + "\"\n" + start + "plugin = \"" +
               input.plugin + "\"\n" + start + "interval = \"" + input.interval + "\"\n";
        if (!input.options.empty()) out += start + "[input.options]\n";
        for (const std::string& line : input.options)
            out += start + line + "\n";
    }
    return out;
}

}  // namespace holdfast::cli
