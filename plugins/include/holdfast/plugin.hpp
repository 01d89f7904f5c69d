// A plugin in C++20: a thin layer over holdfast/plugin.h that adds no state, no thread and no library.
//
// A plugin is a class with a constructor that takes a Host and throws when it can't open, and one or both of
//     sample()            called once an interval, the first time right after the constructor
//     ready(fd, events)   called when a watched descriptor is ready
// Both return void, or an int that is 0 or a negative errno as plugin.h has them. It may have one of
//     static check(host)  looks at the options alone, and throws EINVAL when they are wrong, or calls
//                         host.error() for each mistake and returns -EINVAL
//     static constexpr bool opens_without_device = true;
//                         its constructor does that, and touches no device
// All calls come on one thread. What they throw ends here: a std::system_error becomes its negative errno,
// anything else -EIO, and what() reaches status and log. fail() is the short way to throw.
//
//     HOLDFAST_PLUGIN(Thermometer, "thermometer", "1.0", "Reads one.", options)
#pragma once

#include <errno.h>
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <holdfast/plugin.h>

namespace holdfast::plugin {

[[noreturn]] inline void fail(int code, const std::string& text) {
    throw std::system_error(code, std::generic_category(), text);
}

using Clock = std::int64_t (*)(clockid_t);  // nanoseconds

// Of the system's clocks.
inline std::int64_t clock_ns(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Microseconds of CLOCK_MONOTONIC: for intervals and deadlines.
inline std::int64_t monotonic_us() { return clock_ns(CLOCK_MONOTONIC) / 1000; }

// How far a clock is ahead of CLOCK_BOOTTIME, in nanoseconds: less this, a stamp by that clock is a time for
// Reading::seen_at_boot. Three tries, of which the quickest counts: between two looks the process may lose its turn.
inline std::int64_t ahead_of_boot_ns(clockid_t clock, Clock clocks = clock_ns) {
    std::int64_t ahead_ns = 0;
    std::int64_t least_ns = INT64_MAX;
    for (int i = 0; i < 3 && clock != CLOCK_BOOTTIME; ++i) {
        const std::int64_t before_ns = clocks(CLOCK_BOOTTIME);
        const std::int64_t there_ns = clocks(clock);
        const std::int64_t took_ns = clocks(CLOCK_BOOTTIME) - before_ns;
        if (took_ns >= least_ns) continue;
        least_ns = took_ns;
        ahead_ns = there_ns - before_ns;
    }
    return ahead_ns;
}

template <typename T>
inline constexpr std::uint32_t value_type = ~0U;
template <>
inline constexpr std::uint32_t value_type<double> = HOLDFAST_F64;
template <>
inline constexpr std::uint32_t value_type<std::int64_t> = HOLDFAST_I64;
template <>
inline constexpr std::uint32_t value_type<bool> = HOLDFAST_BOOL;
template <>
inline constexpr std::uint32_t value_type<std::string_view> = HOLDFAST_STRING;

// A declared channel whose values are double, std::int64_t, bool or std::string_view.
template <typename T>
struct Channel {
    static_assert(value_type<T> <= HOLDFAST_STRING,
                  "a value is double, std::int64_t, bool or std::string_view");
    std::uint32_t index = 0;
};

// What was seen at one time. Keep one and clear() it between readings: it reuses its storage. Text that is
// set, and the keys and values of tags, are not copied: they must live until the reading was emitted.
class Reading {
  public:
    void clear() {
        values_.clear();
        tags_.clear();
        age_us_ = 0;
        boot_time_us_ = 0;
        wall_time_us_.reset();
    }
    // Each channel at most once.
    template <typename T>
    void set(Channel<T> channel, std::type_identity_t<T> value) {
        holdfast_value& added = values_.emplace_back();
        added.channel = channel.index;
        added.type = value_type<T>;
        if constexpr (std::is_same_v<T, double>)
            added.as.f64 = value;
        else if constexpr (std::is_same_v<T, std::string_view>)
            added.as.string = {value.data(), value.size()};
        else
            added.as.i64 = value;
    }
    void tag(const char* key, const char* value) { tags_.push_back({key, value}); }
    // When it was seen: so many microseconds ago (default: now), at a time of CLOCK_BOOTTIME (1 or more), or at one
    // of the source's own clock since 1970-01-01 UTC.
    void seen_ago(std::int64_t age_us) { age_us_ = age_us; }
    void seen_at_boot(std::int64_t boot_time_us) {
        boot_time_us_ = boot_time_us;
        age_us_ = std::max<std::int64_t>(clock_ns(CLOCK_BOOTTIME) / 1000 - boot_time_us, 0);  // for an older host
    }
    void seen_at(std::int64_t wall_time_us) { wall_time_us_ = wall_time_us; }

    bool empty() const { return values_.empty(); }
    // The reading as the host takes it; valid until this one is changed.
    holdfast_reading view() const {
        return {.size = sizeof(holdfast_reading),
                .value_count = static_cast<std::uint32_t>(values_.size()),
                .tag_count = static_cast<std::uint32_t>(tags_.size()),
                .has_wall_time = wall_time_us_ ? 1U : 0U,
                .age_us = age_us_,
                .wall_time_us = wall_time_us_.value_or(0),
                .values = values_.data(),
                .tags = tags_.data(),
                .boot_time_us = boot_time_us_};
    }

  private:
    std::vector<holdfast_value> values_;
    std::vector<holdfast_tag> tags_;
    std::int64_t age_us_ = 0;
    std::int64_t boot_time_us_ = 0;
    std::optional<std::int64_t> wall_time_us_;
};

// The agent, as a plugin sees it. A view that is copied freely; what it does and when it may be called is
// said in plugin.h.
class Host {
  public:
    explicit Host(const holdfast_host* host) : host_(host) {}

    // The same name again gives the same channel. Throws EINVAL (name or unit not valid, or of another type),
    // ENOSPC.
    template <typename T>
    Channel<T> channel(const std::string& name, const char* unit = "") const {
        const holdfast_channel declared{sizeof declared, value_type<T>, name.c_str(), unit};
        const std::int32_t index = host_->channel(host_, &declared);
        if (index < 0) fail(-index, "channel '" + name + "' cannot be declared");
        return {static_cast<std::uint32_t>(index)};
    }
    // Throws EINVAL (channel twice, text not UTF-8) or EMSGSIZE.
    void emit(const Reading& reading) const {
        const holdfast_reading view = reading.view();
        if (const std::int32_t result = host_->emit(host_, &view); result < 0)
            fail(-result, "the agent does not take the reading");
    }
    void error(const std::string& text) const { host_->error(host_, text.c_str()); }
    void log(holdfast_log_level level, const std::string& text) const {
        host_->log(host_, level, text.c_str());
    }

    std::string text(const char* key) const { return host_->option_string(host_, key); }
    std::int64_t integer(const char* key) const { return host_->option_i64(host_, key); }
    std::int64_t duration_us(const char* key) const { return host_->option_i64(host_, key); }
    std::int64_t size_bytes(const char* key) const { return host_->option_i64(host_, key); }
    bool boolean(const char* key) const { return host_->option_i64(host_, key) != 0; }
    double number(const char* key) const { return host_->option_f64(host_, key); }
    std::vector<std::string> list(const char* key) const {
        std::vector<std::string> items;
        for (auto& [unused, value] : map(key))
            items.push_back(std::move(value));
        return items;
    }
    std::vector<std::pair<std::string, std::string>> map(const char* key) const {
        std::vector<std::pair<std::string, std::string>> items;
        const char* item_key = nullptr;
        const char* value = nullptr;
        for (std::uint32_t i = 0; host_->option_item(host_, key, i, &item_key, &value) == 0; ++i)
            items.emplace_back(item_key == nullptr ? "" : item_key, value);
        return items;
    }

    std::string sensor_root() const { return host_->sensor_root(host_); }
    std::int64_t interval_us() const { return host_->interval_us(host_); }
    void sample_after(std::int64_t delay_us) const { host_->sample_after(host_, delay_us); }
    void never_sample_again() const { sample_after(-1); }
    void watch(int fd, std::uint32_t events) const {
        if (const std::int32_t result = host_->watch(host_, fd, events); result < 0)
            fail(-result, "cannot watch a descriptor");
    }
    void unwatch(int fd) const { host_->watch(host_, fd, 0); }
    void restarted(const std::string& reason) const { host_->restarted(host_, reason.c_str()); }
    void finished() const { host_->finished(host_); }
    // False also where an older host can't say.
    bool is_trial() const {
        return host_->size > offsetof(holdfast_host, is_trial) && host_->is_trial(host_) != 0;
    }

  private:
    const holdfast_host* host_;
};

// An option of a descriptor; no default_value makes it required.
constexpr holdfast_option option(holdfast_option_type type, const char* key, const char* default_value,
                                 const char* help, const char* choices = nullptr) {
    return {sizeof(holdfast_option), static_cast<std::uint32_t>(type), key, default_value, help, choices};
}

namespace detail {

template <class Plugin>
struct Instance {
    explicit Instance(const holdfast_host* h) : host(h), plugin(Host(h)) {}
    const holdfast_host* host;
    Plugin plugin;
};

// -EAGAIN says "no value now": nothing to report.
inline std::int32_t report(const holdfast_host* host, int code, const char* text) noexcept {
    if (code != EAGAIN) host->error(host, text);
    return code > 0 ? -code : -EIO;
}

// Whose errors are reported. EINVAL of options is the plugin's own word for wrong ones: its text says how,
// and "Invalid argument" behind it would say no more. Of a device it is the kernel's.
enum class About { options, device };

inline std::int32_t report(const holdfast_host* host, const std::system_error& error, About about) {
    std::string text = error.what();
    const std::string tail = ": " + error.code().message();
    if (about == About::options && error.code().value() == EINVAL && text.ends_with(tail))
        text.erase(text.size() - tail.size());
    return report(host, error.code().value(), text.c_str());
}

template <About about, typename Call>
std::int32_t guarded(const holdfast_host* host, Call call) noexcept {
    try {
        if constexpr (std::is_void_v<decltype(call())>)
            return call(), 0;
        else
            return call();
    } catch (const std::system_error& error) {
        return report(host, error, about);
    } catch (const std::exception& error) {
        return report(host, EIO, error.what());
    } catch (...) {
        return report(host, EIO, "the plugin threw something that is no exception");
    }
}

template <class Plugin>
std::int32_t open(const holdfast_host* host, void** instance) {
    return guarded<About::options>(host, [&] { *instance = new Instance<Plugin>(host); });
}

template <class Plugin>
void close(void* instance) {
    delete static_cast<Instance<Plugin>*>(instance);
}

template <class Plugin>
std::int32_t open_and_close(const holdfast_host* host) {
    void* instance = nullptr;
    const std::int32_t code = open<Plugin>(host, &instance);
    if (code == 0) close<Plugin>(instance);
    return code;
}

}  // namespace detail

template <class Plugin>
constexpr holdfast_plugin describe(const char* name, const char* version, const char* summary,
                                   std::span<const holdfast_option> options = {}) {
    using Instance = detail::Instance<Plugin>;
    holdfast_plugin made{};
    made.size = sizeof made;
    made.abi = HOLDFAST_PLUGIN_ABI;
    made.name = name;
    made.version = version;
    made.summary = summary;
    made.options = options.data();
    made.option_count = static_cast<std::uint32_t>(options.size());
    made.open = detail::open<Plugin>;
    if constexpr (requires(Plugin plugin) { plugin.sample(); })
        made.sample = [](void* instance) {
            auto& self = *static_cast<Instance*>(instance);
            return detail::guarded<detail::About::device>(self.host, [&] { return self.plugin.sample(); });
        };
    if constexpr (requires(Plugin plugin) { plugin.ready(0, 0U); })
        made.ready = [](void* instance, std::int32_t fd, std::uint32_t events) {
            auto& self = *static_cast<Instance*>(instance);
            return detail::guarded<detail::About::device>(self.host,
                                                          [&] { return self.plugin.ready(fd, events); });
        };
    if constexpr (requires(Host host) { Plugin::check(host); })
        made.check = [](const holdfast_host* host) {
            return detail::guarded<detail::About::options>(host, [&] { return Plugin::check(Host(host)); });
        };
    else if constexpr (requires { requires Plugin::opens_without_device; })
        made.check = detail::open_and_close<Plugin>;
    made.close = detail::close<Plugin>;
    return made;
}

}  // namespace holdfast::plugin

// Makes the class what the shared object is a plugin of: HOLDFAST_PLUGIN(Class, name, version, summary,
// options), as describe() takes them. To stand once, outside all namespaces.
#define HOLDFAST_PLUGIN(Class, ...)                                                                   \
    const holdfast_plugin* holdfast_plugin_entry() {                                                  \
        static constexpr holdfast_plugin descriptor = holdfast::plugin::describe<Class>(__VA_ARGS__); \
        return &descriptor;                                                                           \
    }
