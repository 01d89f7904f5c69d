// A plugin host within the test's process: what a plugin emits and says is recorded for the test to ask.
//
// It loads a real plugin file, or only serves as the host of an object that the test makes. Like the real one
// it checks what crosses. run_until() serves watched descriptors and fails the test, instead of hanging, when
// nothing comes of it.
#pragma once

#include <dlfcn.h>
#include <errno.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/utf8.hpp"
#include "holdfast/plugin.h"

namespace holdfast::test {

// A plugin's shared object; stays loaded.
class PluginFile {
  public:
    explicit PluginFile(const std::string& path) : library_(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        if (library_ == nullptr) throw std::runtime_error(::dlerror());
        void* const symbol = ::dlsym(library_, "holdfast_plugin_entry");
        if (symbol == nullptr) throw std::runtime_error(path + " exports no holdfast_plugin_entry");
        descriptor_ = reinterpret_cast<const holdfast_plugin* (*)()>(symbol)();
    }
    const holdfast_plugin& descriptor() const { return *descriptor_; }

  private:
    void* library_;
    const holdfast_plugin* descriptor_;
};

class TestHost {
  public:
    using Items = std::vector<std::pair<std::string, std::string>>;  // of a list: with empty keys
    using OptionValue = std::variant<std::string, std::int64_t, double, Items>;
    using Options = std::map<std::string, OptionValue>;
    using Value = std::variant<double, std::int64_t, bool, std::string>;
    struct Emitted {
        std::map<std::string, Value> values;
        std::map<std::string, std::string> tags;
        std::optional<std::int64_t> wall_time_us;
        std::int64_t age_us = 0;
        std::int64_t boot_time_us = 0;
        // The value on a channel, as its type; throws when there is none, or of another.
        template <typename T>
        T get(const std::string& channel) const {
            return std::get<T>(values.at(channel));
        }
    };
    struct DeclaredChannel {
        std::string name;
        std::uint32_t type;
        std::string unit;
    };

    static OptionValue list(const std::vector<std::string>& items) {
        Items list;
        for (const std::string& item : items)
            list.emplace_back("", item);
        return list;
    }

    // Options that are not given have the descriptor's defaults.
    explicit TestHost(const holdfast_plugin& plugin, Options options = {})
        : plugin_(plugin), options_(std::move(options)) {
        for (std::uint32_t i = 0; i < plugin.option_count; ++i)
            if (plugin.options[i].default_value != nullptr)
                options_.try_emplace(plugin.options[i].key, default_of(plugin.options[i]));
        fill_table();
    }
    TestHost(const TestHost&) = delete;
    TestHost& operator=(const TestHost&) = delete;
    ~TestHost() { close(); }

    const holdfast_host* table() const { return &table_; }

    // As the real host calls the plugin.
    int open() { return plugin_.open(&table_, &instance_); }
    int sample() { return plugin_.sample(instance_); }
    void close() {
        if (instance_ != nullptr) plugin_.close(std::exchange(instance_, nullptr));
    }

    // Serves the watched descriptors until `done`; false after ten seconds.
    bool run_until(const std::function<bool()>& done) {
        const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!done()) {
            if (std::chrono::steady_clock::now() > give_up) return false;
            serve_once(50);
        }
        return true;
    }
    void serve_once(int most_ms) {
        std::vector<pollfd> polled;
        for (const auto& [fd, events] : watched)
            polled.push_back({fd, static_cast<short>(events), 0});
        if (::poll(polled.data(), polled.size(), most_ms) <= 0) return;
        for (const pollfd& each : polled)
            if (each.revents != 0 && watched.count(each.fd) > 0)
                plugin_.ready(instance_, each.fd, static_cast<std::uint32_t>(each.revents));
    }

    bool has_error(const std::string& part) const { return contains(errors, part); }
    bool has_log(const std::string& part) const { return contains(logs, part); }

    // --- what the test sets and sees
    std::string sensor_root;
    std::int64_t interval_us = 10'000'000;
    bool trial = false;
    std::function<void()> on_emit = [] {};

    std::vector<DeclaredChannel> channels;
    std::vector<Emitted> readings;
    std::vector<std::string> errors;
    std::vector<std::string> logs;
    std::vector<std::string> restarts;
    std::map<int, std::uint32_t> watched;
    std::optional<std::int64_t> sample_after_us;
    bool finished = false;

  private:
    static bool contains(const std::vector<std::string>& texts, const std::string& part) {
        return std::any_of(texts.begin(), texts.end(),
                           [&](const std::string& text) { return text.find(part) != std::string::npos; });
    }
    static TestHost& self(const holdfast_host* host) { return *static_cast<TestHost*>(host->context); }

    static OptionValue default_of(const holdfast_option& option) {
        const std::string text = option.default_value;
        switch (option.type) {
            case HOLDFAST_OPTION_I64:
                return static_cast<std::int64_t>(std::stoll(text));
            case HOLDFAST_OPTION_F64:
                return std::stod(text);
            case HOLDFAST_OPTION_BOOL:
                return std::int64_t{text == "true"};
            case HOLDFAST_OPTION_DURATION:
            case HOLDFAST_OPTION_SIZE:
                if (std::stoll(text) != 0)
                    throw std::runtime_error("a test gives such options itself: " + text);
                return std::int64_t{0};
            case HOLDFAST_OPTION_STRING_LIST:
                return quoted_items(text);
            case HOLDFAST_OPTION_STRING_MAP:
                if (text != "{}") throw std::runtime_error("a test gives such options itself: " + text);
                return Items();
            default:
                return text;
        }
    }
    static Items quoted_items(const std::string& text) {
        Items items;
        for (std::size_t begin = text.find('"'); begin != std::string::npos; begin = text.find('"', begin)) {
            const std::size_t end = text.find('"', begin + 1);
            items.emplace_back("", text.substr(begin + 1, end - begin - 1));
            begin = end + 1;
        }
        return items;
    }

    std::int32_t declare(const holdfast_channel& channel) {
        const std::string name = channel.name;
        if (name.empty() || name.size() > 256 || !is_plain_text(name) || !is_plain_text(channel.unit))
            return -EINVAL;
        for (std::size_t i = 0; i < channels.size(); ++i)
            if (channels[i].name == name)
                return channels[i].type == channel.type ? static_cast<std::int32_t>(i) : -EINVAL;
        if (channels.size() >= most_channels) return -ENOSPC;
        channels.push_back({name, channel.type, channel.unit});
        return static_cast<std::int32_t>(channels.size() - 1);
    }
    std::int32_t take(const holdfast_reading& reading) {
        Emitted emitted;
        if (reading.value_count == 0 || reading.age_us < 0) return -EINVAL;
        for (std::uint32_t i = 0; i < reading.value_count; ++i) {
            const holdfast_value& value = reading.values[i];
            if (value.channel >= channels.size() || channels[value.channel].type != value.type)
                return -EINVAL;
            const auto taken = value_of(value);
            if (!taken || !emitted.values.emplace(channels[value.channel].name, *taken).second)
                return -EINVAL;
        }
        for (std::uint32_t i = 0; i < reading.tag_count; ++i) {
            if (!is_plain_text(reading.tags[i].key) || !is_plain_text(reading.tags[i].value)) return -EINVAL;
            emitted.tags.emplace(reading.tags[i].key, reading.tags[i].value);
        }
        if (reading.has_wall_time != 0) emitted.wall_time_us = reading.wall_time_us;
        emitted.age_us = reading.age_us;
        emitted.boot_time_us = reading.boot_time_us;
        readings.push_back(std::move(emitted));
        on_emit();
        return 0;
    }
    static std::optional<Value> value_of(const holdfast_value& value) {
        switch (value.type) {
            case HOLDFAST_F64:
                return value.as.f64;
            case HOLDFAST_I64:
                return value.as.i64;
            case HOLDFAST_BOOL:
                return value.as.boolean != 0;
            default: {
                std::string text(value.as.string.data, static_cast<std::size_t>(value.as.string.length));
                if (!is_utf8(text) || text.size() > 65536) return std::nullopt;
                return text;
            }
        }
    }

    void fill_table() {
        table_.size = sizeof table_;
        table_.abi = HOLDFAST_PLUGIN_ABI;
        table_.context = this;
        table_.channel = [](const holdfast_host* h, const holdfast_channel* c) {
            return self(h).declare(*c);
        };
        table_.emit = [](const holdfast_host* h, const holdfast_reading* r) { return self(h).take(*r); };
        table_.error = [](const holdfast_host* h, const char* text) { self(h).errors.emplace_back(text); };
        table_.log = [](const holdfast_host* h, std::uint32_t, const char* text) {
            self(h).logs.emplace_back(text);
        };
        table_.option_string = [](const holdfast_host* h, const char* key) {
            return std::get<std::string>(self(h).options_.at(key)).c_str();
        };
        table_.option_i64 = [](const holdfast_host* h, const char* key) {
            return std::get<std::int64_t>(self(h).options_.at(key));
        };
        table_.option_f64 = [](const holdfast_host* h, const char* key) {
            return std::get<double>(self(h).options_.at(key));
        };
        table_.option_item = [](const holdfast_host* h, const char* key, std::uint32_t index,
                                const char** key_out, const char** value_out) -> std::int32_t {
            const Items& items = std::get<Items>(self(h).options_.at(key));
            if (index >= items.size()) return -ENOENT;
            *key_out = items[index].first.empty() ? nullptr : items[index].first.c_str();
            *value_out = items[index].second.c_str();
            return 0;
        };
        table_.sensor_root = [](const holdfast_host* h) { return self(h).sensor_root.c_str(); };
        table_.interval_us = [](const holdfast_host* h) { return self(h).interval_us; };
        table_.sample_after = [](const holdfast_host* h, std::int64_t us) { self(h).sample_after_us = us; };
        table_.watch = [](const holdfast_host* h, std::int32_t fd, std::uint32_t events) -> std::int32_t {
            if (events == 0)
                self(h).watched.erase(fd);
            else
                self(h).watched[fd] = events;
            return 0;
        };
        table_.restarted = [](const holdfast_host* h, const char* reason) {
            self(h).restarts.emplace_back(reason);
        };
        table_.finished = [](const holdfast_host* h) { self(h).finished = true; };
        table_.is_trial = [](const holdfast_host* h) -> std::int32_t { return self(h).trial ? 1 : 0; };
    }

    static constexpr std::size_t most_channels = 4096;

    const holdfast_plugin& plugin_;
    Options options_;
    holdfast_host table_{};
    void* instance_ = nullptr;
};

}  // namespace holdfast::test
