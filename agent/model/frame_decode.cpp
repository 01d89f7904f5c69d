// Decoding of frames: nothing that is read is trusted.
#include <bit>

#include "base/utf8.hpp"
#include "model/frame.hpp"
#include "model/frame_tags.hpp"
#include "model/wire.hpp"

namespace holdfast::frame {
namespace {

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

// False when an option's bytes are no value.
bool get_configuration(wire::Cursor& in, Configure& frame) {
    frame.plugin_path = in.text(max_text);
    frame.sensor_root = in.text(max_text);
    frame.interval_us = in.signed_varint();
    frame.trial = in.byte() != 0;
    for (std::uint64_t left = in.count(max_items); left > 0 && in.ok(); --left) {
        Option& option = frame.options.emplace_back();
        option.key = in.text(max_text);
        if (!get_value(in, option.value)) return false;
    }
    return true;
}

Failed get_failed(wire::Cursor& in) {
    Failed failed;
    failed.code = static_cast<std::int32_t>(in.signed_varint());
    failed.count = static_cast<std::uint32_t>(in.varint());
    failed.text = get_message(in);
    return failed;
}

OpenFailed get_open_failed(wire::Cursor& in) {
    OpenFailed failed;
    failed.code = static_cast<std::int32_t>(in.signed_varint());
    failed.final = in.byte() != 0;
    failed.text = get_message(in);
    return failed;
}

Round get_round(wire::Cursor& in) {
    Round round;
    round.open_code = static_cast<std::int32_t>(in.signed_varint());
    round.sample_code = static_cast<std::int32_t>(in.signed_varint());
    for (std::uint32_t* number : {&round.samples, &round.threads, &round.descriptors, &round.children})
        *number = static_cast<std::uint32_t>(in.count(most_u32));
    round.heap_bytes = in.varint();
    round.data_bytes = in.varint();
    round.threw = in.byte() != 0;
    round.said = get_message(in);
    round.refusal = get_message(in);
    return round;
}

LogLevel clamp_level(std::uint8_t level) {
    if (level <= 3) return LogLevel::error;
    if (level == 4) return LogLevel::warning;
    return level <= 6 ? LogLevel::info : LogLevel::debug;
}

}  // namespace

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
            if (!get_configuration(in, frame) || !in.ok() || !in.empty()) return damaged();
            return ToHost(std::move(frame));
        }
        case tag_exercise: {
            Exercise frame;
            frame.rounds = static_cast<std::uint32_t>(in.count(most_u32));
            frame.samples = static_cast<std::uint32_t>(in.count(most_u32));
            if (!get_configuration(in, frame.configuration) || !in.ok() || !in.empty()) return damaged();
            return ToHost(std::move(frame));
        }
        case tag_check: {
            Check frame;
            if (!get_configuration(in, frame.configuration) || !in.ok() || !in.empty()) return damaged();
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
        case tag_failed:
            frame = get_failed(in);
            break;
        case tag_missed: {
            const Missed missed{static_cast<std::uint32_t>(in.count(most_u32))};
            sound = missed.count > 0;
            frame = missed;
            break;
        }
        case tag_gone:
            frame = Gone{};
            break;
        case tag_open_failed:
            frame = get_open_failed(in);
            break;
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
        case tag_crashed:
            frame = Crashed{get_message(in)};
            break;
        case tag_round:
            frame = get_round(in);
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

}  // namespace holdfast::frame
