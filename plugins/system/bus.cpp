#include "bus.hpp"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string_view>

#include <holdfast/plugin.hpp>

namespace system_input {

namespace {

constexpr std::int64_t patience_us = 3'000'000;
constexpr const char* manager = "org.freedesktop.systemd1";

// What is used of the library; it stays loaded.
class Library {
  public:
    Library() : handle_(::dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL)) {
        if (handle_ == nullptr)
            throw std::runtime_error(std::string("cannot load libsystemd: ") + ::dlerror());
        find("sd_bus_new", make);
        find("sd_bus_open_system", open_system);
        find("sd_bus_set_address", set_address);
        find("sd_bus_set_bus_client", set_bus_client);
        find("sd_bus_start", start);
        find("sd_bus_close_unref", close_unref);
        find("sd_bus_is_ready", is_ready);
        find("sd_bus_process", process);
        find("sd_bus_wait", wait);
        find("sd_bus_call", call);
        find("sd_bus_error_free", error_free);
        find("sd_bus_message_new_method_call", new_method_call);
        find("sd_bus_message_append_strv", append_strv);
        find("sd_bus_message_enter_container", enter_container);
        find("sd_bus_message_read", read);
        find("sd_bus_message_unref", message_unref);
    }

    decltype(&sd_bus_new) make = nullptr;
    decltype(&sd_bus_open_system) open_system = nullptr;
    decltype(&sd_bus_set_address) set_address = nullptr;
    decltype(&sd_bus_set_bus_client) set_bus_client = nullptr;
    decltype(&sd_bus_start) start = nullptr;
    decltype(&sd_bus_close_unref) close_unref = nullptr;
    decltype(&sd_bus_is_ready) is_ready = nullptr;
    decltype(&sd_bus_process) process = nullptr;
    decltype(&sd_bus_wait) wait = nullptr;
    decltype(&sd_bus_call) call = nullptr;
    decltype(&sd_bus_error_free) error_free = nullptr;
    decltype(&sd_bus_message_new_method_call) new_method_call = nullptr;
    decltype(&sd_bus_message_append_strv) append_strv = nullptr;
    decltype(&sd_bus_message_enter_container) enter_container = nullptr;
    decltype(&sd_bus_message_read) read = nullptr;
    decltype(&sd_bus_message_unref) message_unref = nullptr;

  private:
    template <typename Function>
    void find(const char* name, Function& function) const {
        function = reinterpret_cast<Function>(::dlsym(handle_, name));
        if (function == nullptr) throw std::runtime_error(std::string("libsystemd has no ") + name);
    }

    void* handle_;
};

const Library& library() {
    static const Library loaded;
    return loaded;
}

void check(int result, const char* doing) {
    if (result < 0) throw std::runtime_error(std::string(doing) + ": " + ::strerror(-result));
}

using Bus = std::unique_ptr<sd_bus, decltype(&sd_bus_close_unref)>;
using Message = std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)>;

// D-Bus specification, "Server Addresses": all but these bytes are escaped.
std::string escaped(const std::string& path) {
    constexpr const char* digits = "0123456789abcdef";
    std::string text;
    for (const char c : path) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           ::strchr("-_/.\\*", c) != nullptr;
        const auto byte = static_cast<unsigned char>(c);
        if (plain)
            text += c;
        else
            (text += '%') += {digits[byte >> 4], digits[byte & 15]};
    }
    return text;
}

Bus open(const Library& l, const std::string& root) {
    constexpr const char* doing = "cannot reach the system bus";
    sd_bus* made = nullptr;
    if (root.empty()) {
        check(l.open_system(&made), doing);
        return {made, l.close_unref};
    }
    check(l.make(&made), doing);
    Bus bus(made, l.close_unref);
    const std::string address = "unix:path=" + escaped(root) + "/run/dbus/system_bus_socket";
    check(l.set_address(bus.get(), address.c_str()), doing);
    check(l.set_bus_client(bus.get(), 1), doing);
    check(l.start(bus.get()), doing);
    return bus;
}

// sd_bus_call() would wait for a bus that does not answer the greeting for longer than a sample may take.
void greet(const Library& l, sd_bus* bus) {
    constexpr const char* doing = "no answer from the system bus";
    const std::int64_t give_up_us = holdfast::plugin::monotonic_us() + patience_us;
    while (true) {
        const int ready = l.is_ready(bus);
        check(ready, doing);
        if (ready > 0) return;
        const int did = l.process(bus, nullptr);
        check(did, doing);
        if (did > 0) continue;
        const std::int64_t left_us = give_up_us - holdfast::plugin::monotonic_us();
        check(left_us > 0 ? 0 : -ETIMEDOUT, doing);
        check(l.wait(bus, static_cast<std::uint64_t>(left_us)), doing);
    }
}

Message call(const Library& l, sd_bus* bus, sd_bus_message* question) {
    sd_bus_error error{};
    sd_bus_message* answer = nullptr;
    const int result = l.call(bus, question, patience_us, &error, &answer);
    const std::string reason = error.message == nullptr ? "" : error.message;
    l.error_free(&error);
    if (result < 0 && !reason.empty()) throw std::runtime_error("systemd refuses: " + reason);
    check(result, "no answer from systemd");
    return {answer, l.message_unref};
}

std::vector<char*> as_vector(const std::vector<std::string>& names) {
    std::vector<char*> pointers;
    for (const std::string& name : names)
        pointers.push_back(const_cast<char*>(name.c_str()));  // sd-bus copies, and changes nothing
    pointers.push_back(nullptr);
    return pointers;
}

// org.freedesktop.systemd1(5): both give a(ssssssouso).
void ask(const Library& l, sd_bus* bus, const char* method, const std::vector<std::string>& names,
         std::vector<Unit>& units) {
    constexpr const char* doing = "cannot ask systemd";
    const bool patterns = std::string_view(method) == "ListUnitsByPatterns";
    sd_bus_message* made = nullptr;
    check(l.new_method_call(bus, &made, manager, "/org/freedesktop/systemd1",
                            "org.freedesktop.systemd1.Manager", method),
          doing);
    const Message question(made, l.message_unref);
    char* no_states[] = {nullptr};
    if (patterns) check(l.append_strv(made, no_states), doing);
    check(l.append_strv(made, as_vector(names).data()), doing);
    const Message answer = call(l, bus, made);
    constexpr const char* reading = "systemd's answer is not as documented";
    check(l.enter_container(answer.get(), SD_BUS_TYPE_ARRAY, "(ssssssouso)"), reading);
    for (;;) {
        const char *name, *description, *load, *active, *sub, *following, *path, *job_type, *job_path;
        std::uint32_t job = 0;
        const int got = l.read(answer.get(), "(ssssssouso)", &name, &description, &load, &active, &sub,
                               &following, &path, &job, &job_type, &job_path);
        check(got, reading);
        if (got == 0) return;
        units.push_back({name, load, active, sub});
    }
}

}  // namespace

std::vector<Unit> ask_for_units(const std::string& root, const std::vector<std::string>& names) {
    std::vector<std::string> plain;
    std::vector<std::string> patterns;
    for (const std::string& name : names)
        (name.find_first_of("*?") == std::string::npos ? plain : patterns).push_back(name);
    const Library& l = library();
    const Bus bus = open(l, root);
    greet(l, bus.get());
    std::vector<Unit> units;
    if (!plain.empty()) ask(l, bus.get(), "ListUnitsByNames", plain, units);
    if (!patterns.empty()) ask(l, bus.get(), "ListUnitsByPatterns", patterns, units);
    // A pattern may give what was named, too.
    std::sort(units.begin(), units.end(), [](const Unit& a, const Unit& b) { return a.name < b.name; });
    units.erase(std::unique(units.begin(), units.end(),
                            [](const Unit& a, const Unit& b) { return a.name == b.name; }),
                units.end());
    return units;
}

}  // namespace system_input
