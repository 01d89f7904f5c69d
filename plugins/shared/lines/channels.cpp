#include "shared/lines/channels.hpp"

#include <limits>

namespace lines {

namespace plugin = holdfast::plugin;

namespace {

const char* type_name(std::uint32_t type) {
    switch (type) {
        case HOLDFAST_F64:
            return "number";
        case HOLDFAST_I64:
            return "integer";
        case HOLDFAST_BOOL:
            return "boolean";
        default:
            return "string";
    }
}

}  // namespace

template <typename T>
void Channels::put(const std::string& name, T value, plugin::Reading& reading) {
    auto found = known_.find(name);
    if (found == known_.end())
        found = known_.emplace(name, Known{plugin::value_type<T>, host_.channel<T>(name).index, 0}).first;
    Known& known = found->second;
    if (known.type != plugin::value_type<T>)
        throw LineError("channel '" + name + "' is a " + type_name(known.type) +
                        " since its first value, and now a " + type_name(plugin::value_type<T>));
    if (known.last_line == line_) throw LineError("channel '" + name + "' stands twice in the line");
    known.last_line = line_;
    reading.set(plugin::Channel<T>{known.index}, value);
}

void Channels::put_null(const std::string& name, plugin::Reading& reading) {
    const auto found = known_.find(name);
    if (found == known_.end() || found->second.type == HOLDFAST_F64)
        put<double>(name, std::numeric_limits<double>::quiet_NaN(), reading);
}

void Channels::fill(const Record& record, plugin::Reading& reading) {
    ++line_;
    for (const Field& field : record.fields) {
        if (const auto* number = std::get_if<double>(&field.value))
            put<double>(field.channel, *number, reading);
        else if (const auto* integer = std::get_if<std::int64_t>(&field.value))
            put<std::int64_t>(field.channel, *integer, reading);
        else if (const auto* boolean = std::get_if<bool>(&field.value))
            put<bool>(field.channel, *boolean, reading);
        else if (const auto* text = std::get_if<std::string>(&field.value))
            put<std::string_view>(field.channel, *text, reading);
        else
            put_null(field.channel, reading);
    }
    for (const auto& [key, value] : record.tags)
        reading.tag(key.c_str(), value.c_str());
    if (record.wall_time_us) reading.seen_at(*record.wall_time_us);
}

}  // namespace lines
