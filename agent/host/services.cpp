#include "host/services.hpp"

#include <errno.h>
#include <stddef.h>

#include <algorithm>
#include <string_view>

#include "base/utf8.hpp"

namespace holdfast::host {
namespace {

constexpr std::size_t most_watched = 64;

// The most that a number, and a record's head with its time and counts, take in
// a frame.
constexpr std::size_t most_number_bytes = 10;
constexpr std::size_t most_head_bytes = 40;

// Of a plugin that was built when ABI 1 was new.
constexpr std::size_t first_reading_size = offsetof(holdfast_reading, boot_time_us);

std::int64_t boot_time_us(const holdfast_reading& reading, std::int64_t now_us) {
    const bool is_given = reading.size >= first_reading_size + sizeof reading.boot_time_us && reading.boot_time_us > 0;
    return is_given ? std::min(reading.boot_time_us, now_us) : now_us - reading.age_us;
}

std::string_view view(const char* text) {
    return text == nullptr ? std::string_view() : std::string_view(text);
}

// No exception may cross a plugin's C frames. What is thrown in here is that
// memory has run out.
template <typename Call>
std::int32_t fenced(Call call) {
    try {
        return call();
    } catch (...) {
        return -ENOMEM;
    }
}

Services& self(const holdfast_host* host) {
    return *static_cast<Services*>(host->context);
}

}  // namespace

Services::Services(Outlet& outlet, const Clock& clock, frame::Configure configuration)
    : outlet_(outlet), clock_(clock), configuration_(std::move(configuration)), table_(make_table(*this)) {
    watched_.reserve(most_watched);
}

holdfast_host Services::make_table(Services& services) {
    using Host = const holdfast_host*;
    holdfast_host table{};
    table.size = sizeof table;
    table.abi = HOLDFAST_PLUGIN_ABI;
    table.context = &services;
    table.channel = [](Host h, const holdfast_channel* c) {
        return fenced([&] { return self(h).channel(c); });
    };
    table.emit = [](Host h, const holdfast_reading* r) { return fenced([&] { return self(h).emit(r); }); };
    table.error = [](Host h, const char* text) {
        fenced([&] { return self(h).count_error(0, view(text)), 0; });
    };
    table.log = [](Host h, std::uint32_t level, const char* text) {
        fenced([&] { return self(h).log(level, view(text)), 0; });
    };
    table.option_string = [](Host h, const char* key) { return self(h).option_string(view(key)); };
    table.option_i64 = [](Host h, const char* key) { return self(h).option_i64(view(key)); };
    table.option_f64 = [](Host h, const char* key) { return self(h).option_f64(view(key)); };
    table.option_item = [](Host h, const char* key, std::uint32_t index, const char** key_out,
                           const char** value_out) {
        return self(h).option_item(view(key), index, key_out, value_out);
    };
    table.sensor_root = [](Host h) { return self(h).configuration_.sensor_root.c_str(); };
    table.interval_us = [](Host h) { return self(h).configuration_.interval_us; };
    table.sample_after = [](Host h, std::int64_t delay_us) { self(h).sample_after_ = Micros(delay_us); };
    table.watch = [](Host h, std::int32_t fd, std::uint32_t events) { return self(h).watch(fd, events); };
    table.restarted = [](Host h, const char* reason) {
        fenced([&] { return self(h).outlet_.send(frame::Restarted{std::string(view(reason))}), 0; });
    };
    table.finished = [](Host h) { self(h).finished_ = true; };
    table.is_trial = [](Host h) -> std::int32_t { return self(h).configuration_.trial ? 1 : 0; };
    return table;
}

std::int32_t Services::channel(const holdfast_channel* channel) {
    if (channel == nullptr || channel->size < sizeof(holdfast_channel) || channel->type > HOLDFAST_STRING)
        return refuse(-EINVAL, "declared a channel of no known type");
    const auto type = static_cast<ValueType>(channel->type);
    const std::string_view name = view(channel->name);
    if (const auto known = channel_index_.find(name); known != channel_index_.end())
        return channels_[known->second].type == type
                   ? static_cast<std::int32_t>(known->second)
                   : refuse(-EINVAL, "declared a channel again with another type");
    const std::string_view unit = view(channel->unit);
    if (name.empty() || name.size() > max_name_bytes || !is_plain_text(name))
        return refuse(-EINVAL, "declared a channel whose name is empty, too long or no plain text");
    if (unit.size() > max_unit_bytes || !is_plain_text(unit))
        return refuse(-EINVAL, "declared a channel whose unit is too long or no plain text");
    if (channels_.size() == max_channels) return refuse(-ENOSPC, "declared more than 4096 channels");
    channels_.push_back({type, 0});
    const std::uint32_t index = outlet_.define({std::string(name), type, std::string(unit)});
    channel_index_.emplace(name, index);
    return static_cast<std::int32_t>(index);
}

std::int32_t Services::take_value(const holdfast_value& from, Value& to, std::size_t& size) {
    if (from.channel >= channels_.size())
        return refuse(-EINVAL, "emitted to a channel that it has not declared");
    KnownChannel& channel = channels_[from.channel];
    if (channel.last_reading == reading_number_)
        return refuse(-EINVAL, "emitted a reading that has a channel twice");
    if (from.type != static_cast<std::uint32_t>(channel.type))
        return refuse(-EINVAL, "emitted a value of another type than its channel's");
    channel.last_reading = reading_number_;
    to.channel = from.channel;
    to.type = channel.type;
    size += 2 * most_number_bytes;
    switch (channel.type) {
        case ValueType::f64:
            to.f64 = from.as.f64;
            return 0;
        case ValueType::i64:
            to.i64 = from.as.i64;
            return 0;
        case ValueType::boolean:
            to.boolean = from.as.boolean != 0;
            return 0;
        case ValueType::string:
            break;
    }
    const holdfast_string& text = from.as.string;
    if (text.data == nullptr && text.length > 0) return refuse(-EINVAL, "emitted a string that is NULL");
    if (text.length > max_string_bytes) return refuse(-EMSGSIZE, "emitted a string of more than 64 KiB");
    to.string = text.length == 0 ? std::string_view()
                                 : std::string_view(text.data, static_cast<std::size_t>(text.length));
    if (!is_utf8(to.string)) return refuse(-EINVAL, "emitted a string that is not UTF-8");
    size += to.string.size();
    return 0;
}

std::int32_t Services::take_values(const holdfast_reading& reading, std::size_t& size) {
    if (reading.value_count == 0 || reading.value_count > channels_.size() || reading.values == nullptr)
        return refuse(-EINVAL, "emitted a reading with no value, or with more than there are channels");
    ++reading_number_;
    values_.resize(reading.value_count);
    for (std::uint32_t i = 0; i < reading.value_count; ++i)
        if (const std::int32_t code = take_value(reading.values[i], values_[i], size); code != 0) return code;
    return 0;
}

std::int32_t Services::take_tags(const holdfast_reading& reading, std::size_t& size) {
    tags_.clear();
    if (reading.tag_count > max_tags || (reading.tag_count > 0 && reading.tags == nullptr))
        return refuse(-EINVAL, "emitted a reading with more than 64 tags");
    for (std::uint32_t i = 0; i < reading.tag_count; ++i) {
        const TagView tag{view(reading.tags[i].key), view(reading.tags[i].value)};
        if (tag.key.empty() || tag.key.size() > max_name_bytes || tag.value.size() > max_name_bytes)
            return refuse(-EINVAL, "emitted a tag that is empty or too long");
        if (!is_plain_text(tag.key) || !is_plain_text(tag.value))
            return refuse(-EINVAL, "emitted a tag that is no plain text");
        tags_.push_back(tag);
        size += tag.key.size() + tag.value.size() + 2 * most_number_bytes;
    }
    return 0;
}

std::int32_t Services::emit(const holdfast_reading* reading) {
    // First of all: an age counts from the moment of the call, and the process may lose its turn in what follows.
    const std::int64_t now = clock_.boot_us();
    if (reading == nullptr || reading->size < first_reading_size)
        return refuse(-EINVAL, "emitted a reading smaller than that of ABI 1");
    std::size_t size = most_head_bytes;
    if (const std::int32_t code = take_values(*reading, size); code != 0) return code;
    if (const std::int32_t code = take_tags(*reading, size); code != 0) return code;
    if (size > frame::max_reading_bytes) return refuse(-EMSGSIZE, "emitted a reading of more than 96 KiB");
    const bool wall = reading->has_wall_time != 0;
    if (!wall && reading->age_us < 0)
        return refuse(-EINVAL, "emitted a reading of the future: age_us is negative");
    const Reading taken{wall ? reading->wall_time_us : boot_time_us(*reading, now),
                        wall ? TimeBase::wall : TimeBase::boot, values_, tags_};
    outlet_.append(taken, size, now);
    return outlet_.connected() ? 0 : -EPIPE;
}

std::int32_t Services::refuse(std::int32_t code, const char* why) {
    refusal_ = Refusal{code, why};
    return code;
}

void Services::log(std::uint32_t level, std::string_view text) {
    const auto known = level <= 3 ? LogLevel::error : static_cast<LogLevel>(std::min(level, 7U));
    outlet_.send(frame::LogLine{known, std::string(text)});
}

const OptionValue* Services::find_option(std::string_view key) const {
    const auto& options = configuration_.options;
    const auto found =
        std::find_if(options.begin(), options.end(), [&](const Option& o) { return o.key == key; });
    return found == options.end() ? nullptr : &found->value;
}

const char* Services::option_string(std::string_view key) const {
    const OptionValue* value = find_option(key);
    const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
    return text == nullptr ? "" : text->c_str();
}

std::int64_t Services::option_i64(std::string_view key) const {
    const OptionValue* value = find_option(key);
    if (value == nullptr) return 0;
    if (const auto* flag = std::get_if<bool>(value)) return *flag ? 1 : 0;
    const auto* number = std::get_if<std::int64_t>(value);
    return number == nullptr ? 0 : *number;
}

double Services::option_f64(std::string_view key) const {
    const OptionValue* value = find_option(key);
    const auto* number = value == nullptr ? nullptr : std::get_if<double>(value);
    return number == nullptr ? 0 : *number;
}

std::int32_t Services::option_item(std::string_view key, std::uint32_t index, const char** key_out,
                                   const char** value_out) const {
    const OptionValue* value = find_option(key);
    const auto* list = value == nullptr ? nullptr : std::get_if<std::vector<std::string>>(value);
    const auto* map = value == nullptr ? nullptr : std::get_if<Tags>(value);
    const char* item_key = nullptr;
    const char* item = nullptr;
    if (list != nullptr && index < list->size()) item = (*list)[index].c_str();
    if (map != nullptr && index < map->size()) {
        item_key = (*map)[index].first.c_str();
        item = (*map)[index].second.c_str();
    }
    if (item == nullptr) return -ENOENT;
    if (key_out != nullptr) *key_out = item_key;
    if (value_out != nullptr) *value_out = item;
    return 0;
}

std::int32_t Services::watch(std::int32_t fd, std::uint32_t events) {
    if (events == 0) {
        unwatch(fd);
        return 0;
    }
    if (fd < 0) return -EINVAL;
    const auto known =
        std::find_if(watched_.begin(), watched_.end(), [&](const pollfd& w) { return w.fd == fd; });
    if (known == watched_.end() && watched_.size() == most_watched) return -ENOSPC;
    pollfd& entry = known == watched_.end() ? watched_.emplace_back() : *known;
    entry = {fd, static_cast<short>(events), 0};
    return 0;
}

bool Services::watches(int fd) const {
    return std::any_of(watched_.begin(), watched_.end(), [&](const pollfd& entry) { return entry.fd == fd; });
}

void Services::unwatch(int fd) {
    std::erase_if(watched_, [&](const pollfd& entry) { return entry.fd == fd; });
}

void Services::forget_instance() {
    watched_.clear();
    sample_after_.reset();
}

void Services::count_error(std::int32_t code, std::string_view text) {
    ++errors_;
    const std::uint32_t count = unreported_ ? unreported_->count + 1 : 1;
    unreported_ = frame::Failed{code, count, std::string(text)};
    if (reports_each_) outlet_.send(*unreported_);
}

}  // namespace holdfast::host
