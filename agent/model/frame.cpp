#include "model/frame.hpp"

#include <bit>
#include <limits>

#include "base/utf8.hpp"
#include "model/wire.hpp"

namespace holdfast {

std::string_view to_string(OptionType type) {
    switch (type) {
        case OptionType::string:
            return "string";
        case OptionType::i64:
            return "integer";
        case OptionType::f64:
            return "number";
        case OptionType::boolean:
            return "boolean";
        case OptionType::duration:
            return "duration";
        case OptionType::size:
            return "size";
        case OptionType::string_list:
            return "array of strings";
        case OptionType::string_map:
            return "table of strings";
    }
    return "string";
}

namespace frame {
namespace {

// Enough for a path, a help line, a message; a longer message is cut by the sender.
constexpr std::size_t max_text = 8 * 1024;
// An option may be a script.
constexpr std::size_t max_option_text = 64 * 1024;
constexpr std::size_t max_items = 4096;
constexpr std::uint64_t max_missed = std::numeric_limits<std::uint32_t>::max();

constexpr std::uint8_t tag_describe = 'D', tag_configure = 'C', tag_description = 'd', tag_opened = 'O',
                       tag_failed = 'F', tag_missed = 'M', tag_open_failed = 'X', tag_log = 'L',
                       tag_beat = 'B', tag_restarted = 'S', tag_finished = 'E';

// At most max_text bytes, ending with a whole character.
std::string_view cut(std::string_view text) {
    if (text.size() <= max_text) return text;
    std::size_t length = max_text;
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80)
        --length;
    return text.substr(0, length);
}

void put_value(std::string& out, const OptionValue& value) {
    wire::put_byte(out, static_cast<std::uint8_t>(value.index()));
    if (const auto* text = std::get_if<std::string>(&value)) wire::put_text(out, *text);
    if (const auto* number = std::get_if<std::int64_t>(&value)) wire::put_signed(out, *number);
    if (const auto* number = std::get_if<double>(&value))
        wire::put_varint(out, std::bit_cast<std::uint64_t>(*number));
    if (const auto* flag = std::get_if<bool>(&value)) wire::put_byte(out, *flag ? 1 : 0);
    if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
        wire::put_varint(out, list->size());
        for (const std::string& item : *list)
            wire::put_text(out, item);
    }
    if (const auto* map = std::get_if<Tags>(&value)) {
        wire::put_varint(out, map->size());
        for (const auto& [key, item] : *map) {
            wire::put_text(out, key);
            wire::put_text(out, item);
        }
    }
}

// False when the bytes are no value (the cursor itself may be the one that failed).
bool get_value(wire::Cursor& in, OptionValue& value) {
    switch (in.byte()) {
        case 0:
            value = std::string(in.text(max_option_text));
            return true;
        case 1:
            value = in.signed_varint();
            return true;
        case 2:
            value = std::bit_cast<double>(in.varint());
            return true;
        case 3:
            value = in.byte() != 0;
            return true;
        case 4: {
            std::vector<std::string> list;
            for (std::uint64_t left = in.count(max_items); left > 0 && in.ok(); --left)
                list.emplace_back(in.text(max_option_text));
            value = std::move(list);
            return true;
        }
        case 5: {
            Tags map;
            for (std::uint64_t left = in.count(max_items); left > 0 && in.ok(); --left) {
                std::string key(in.text(max_option_text));
                map.emplace_back(std::move(key), in.text(max_option_text));
            }
            value = std::move(map);
            return true;
        }
        default:
            return false;
    }
}

void put_plugin(std::string& out, const PluginInfo& plugin) {
    wire::put_text(out, cut(plugin.name));
    wire::put_text(out, cut(plugin.version));
    wire::put_text(out, cut(plugin.summary));
    wire::put_varint(out, plugin.options.size());
    for (const OptionInfo& option : plugin.options) {
        wire::put_text(out, cut(option.key));
        wire::put_byte(out, static_cast<std::uint8_t>(option.type));
        wire::put_byte(out, option.default_text ? 1 : 0);
        wire::put_text(out, option.default_text ? cut(*option.default_text) : std::string_view{});
        wire::put_text(out, cut(option.help));
        wire::put_varint(out, option.choices.size());
        for (const std::string& choice : option.choices)
            wire::put_text(out, cut(choice));
    }
}

// What a host says goes to logs and status, as one line: bytes that are not UTF-8 and control characters get
// no further.
std::string get_message(wire::Cursor& in) {
    std::string text(in.text(max_text));
    const bool sound = is_utf8(text);
    for (char& c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F) c = ' ';
        if (!sound && byte >= 0x80) c = '?';
    }
    return text;
}

bool get_plugin(wire::Cursor& in, PluginInfo& plugin) {
    plugin.name = get_message(in);
    plugin.version = get_message(in);
    plugin.summary = get_message(in);
    for (std::uint64_t left = in.count(max_items); left > 0 && in.ok(); --left) {
        OptionInfo option;
        option.key = get_message(in);
        const std::uint8_t type = in.byte();
        if (type > static_cast<std::uint8_t>(OptionType::string_map)) return false;
        option.type = static_cast<OptionType>(type);
        const bool has_default = in.byte() != 0;
        std::string default_text = get_message(in);
        if (has_default) option.default_text = std::move(default_text);
        option.help = get_message(in);
        for (std::uint64_t choice = in.count(max_items); choice > 0 && in.ok(); --choice)
            option.choices.push_back(get_message(in));
        plugin.options.push_back(std::move(option));
    }
    return true;
}

Error damaged() {
    return Error{Error::Kind::corrupt, "damaged frame between the agent and a plugin host"};
}

struct Encoder {
    std::string out;
    void operator()(const Describe& f) {
        wire::put_byte(out, tag_describe);
        wire::put_text(out, f.plugin_path);
    }
    void operator()(const Configure& f) {
        wire::put_byte(out, tag_configure);
        wire::put_text(out, f.plugin_path);
        wire::put_text(out, f.sensor_root);
        wire::put_signed(out, f.interval_us);
        wire::put_varint(out, f.options.size());
        for (const Option& option : f.options) {
            wire::put_text(out, option.key);
            put_value(out, option.value);
        }
    }
    void operator()(const Description& f) {
        wire::put_byte(out, tag_description);
        put_plugin(out, f.plugin);
    }
    void operator()(const Opened&) { wire::put_byte(out, tag_opened); }
    void operator()(const Readings& f) {
        wire::put_byte(out, readings_tag);
        out.append(f.segment);
    }
    void operator()(const Failed& f) {
        wire::put_byte(out, tag_failed);
        wire::put_signed(out, f.code);
        wire::put_varint(out, f.count);
        wire::put_text(out, cut(f.text));
    }
    void operator()(const Missed& f) {
        wire::put_byte(out, tag_missed);
        wire::put_varint(out, f.count);
    }
    void operator()(const OpenFailed& f) {
        wire::put_byte(out, tag_open_failed);
        wire::put_signed(out, f.code);
        wire::put_byte(out, f.final ? 1 : 0);
        wire::put_text(out, cut(f.text));
    }
    void operator()(const LogLine& f) {
        wire::put_byte(out, tag_log);
        wire::put_byte(out, static_cast<std::uint8_t>(f.level));
        wire::put_text(out, cut(f.text));
    }
    void operator()(const Beat&) { wire::put_byte(out, tag_beat); }
    void operator()(const Restarted& f) {
        wire::put_byte(out, tag_restarted);
        wire::put_text(out, cut(f.reason));
    }
    void operator()(const Finished&) { wire::put_byte(out, tag_finished); }
};

LogLevel clamp_level(std::uint8_t level) {
    if (level <= 3) return LogLevel::error;
    if (level == 4) return LogLevel::warning;
    return level <= 6 ? LogLevel::info : LogLevel::debug;
}

}  // namespace

std::string encode(const ToHost& frame) {
    Encoder encoder;
    std::visit(encoder, frame);
    return std::move(encoder.out);
}

std::string encode(const FromHost& frame) {
    Encoder encoder;
    std::visit(encoder, frame);
    return std::move(encoder.out);
}

Result<ToHost> decode_to_host(std::string_view bytes) {
    wire::Cursor in(bytes);
    switch (in.byte()) {
        case tag_describe: {
            Describe frame{std::string(in.text(max_text))};
            if (!in.ok() || !in.empty()) return damaged();
            return ToHost(std::move(frame));
        }
        case tag_configure: {
            Configure frame;
            frame.plugin_path = in.text(max_text);
            frame.sensor_root = in.text(max_text);
            frame.interval_us = in.signed_varint();
            for (std::uint64_t left = in.count(max_items); left > 0 && in.ok(); --left) {
                Option& option = frame.options.emplace_back();
                option.key = in.text(max_text);
                if (!get_value(in, option.value)) return damaged();
            }
            if (!in.ok() || !in.empty()) return damaged();
            return ToHost(std::move(frame));
        }
        default:
            return damaged();
    }
}

Result<FromHost> decode_from_host(std::string_view bytes) {
    wire::Cursor in(bytes);
    FromHost frame;
    bool sound = true;
    switch (in.byte()) {
        case tag_description: {
            Description description;
            sound = get_plugin(in, description.plugin);
            frame = std::move(description);
            break;
        }
        case tag_opened:
            frame = Opened{};
            break;
        case readings_tag:
            frame = Readings{in.bytes(in.left())};
            break;
        case tag_failed: {
            Failed failed;
            failed.code = static_cast<std::int32_t>(in.signed_varint());
            failed.count = static_cast<std::uint32_t>(in.varint());
            failed.text = get_message(in);
            frame = std::move(failed);
            break;
        }
        case tag_missed: {
            const Missed missed{static_cast<std::uint32_t>(in.count(max_missed))};
            sound = missed.count > 0;
            frame = missed;
            break;
        }
        case tag_open_failed: {
            OpenFailed failed;
            failed.code = static_cast<std::int32_t>(in.signed_varint());
            failed.final = in.byte() != 0;
            failed.text = get_message(in);
            frame = std::move(failed);
            break;
        }
        case tag_log: {
            LogLine line;
            line.level = clamp_level(in.byte());
            line.text = get_message(in);
            frame = std::move(line);
            break;
        }
        case tag_beat:
            frame = Beat{};
            break;
        case tag_restarted:
            frame = Restarted{get_message(in)};
            break;
        case tag_finished:
            frame = Finished{};
            break;
        default:
            sound = false;
    }
    if (!sound || !in.ok() || !in.empty()) return damaged();
    return frame;
}

}  // namespace frame
}  // namespace holdfast
