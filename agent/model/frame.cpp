// Encoding of frames.
#include <bit>

#include "base/utf8.hpp"
#include "model/frame.hpp"
#include "model/frame_tags.hpp"
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

// At most max_text bytes, ending with a whole character.
std::string_view cut(std::string_view text) {
    return first_bytes(text, max_text);
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

struct Encoder {
    std::string out;
    void operator()(const Describe& f) {
        wire::put_byte(out, tag_describe);
        wire::put_text(out, f.plugin_path);
    }
    void operator()(const Configure& f) {
        wire::put_byte(out, tag_configure);
        put_configuration(f);
    }
    void operator()(const Exercise& f) {
        wire::put_byte(out, tag_exercise);
        wire::put_varint(out, f.rounds);
        wire::put_varint(out, f.samples);
        put_configuration(f.configuration);
    }
    void operator()(const Check& f) {
        wire::put_byte(out, tag_check);
        put_configuration(f.configuration);
    }
    void put_configuration(const Configure& f) {
        wire::put_text(out, f.plugin_path);
        wire::put_text(out, f.sensor_root);
        wire::put_signed(out, f.interval_us);
        wire::put_byte(out, f.trial ? 1 : 0);
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
    void operator()(const Gone&) { wire::put_byte(out, tag_gone); }
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
    void operator()(const Crashed& f) {
        wire::put_byte(out, tag_crashed);
        wire::put_text(out, cut(f.place));
    }
    void operator()(const Round& f) {
        wire::put_byte(out, tag_round);
        wire::put_signed(out, f.open_code);
        wire::put_signed(out, f.sample_code);
        for (const std::uint64_t number :
             {std::uint64_t{f.samples}, std::uint64_t{f.threads}, std::uint64_t{f.descriptors},
              std::uint64_t{f.children}, f.heap_bytes, f.data_bytes})
            wire::put_varint(out, number);
        wire::put_byte(out, f.threw ? 1 : 0);
        wire::put_text(out, cut(f.said));
        wire::put_text(out, cut(f.refusal));
    }
    void operator()(const Finished&) { wire::put_byte(out, tag_finished); }
};

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

std::string_view encode_crashed(std::string_view place, CrashedBuffer& buffer) {
    const std::string_view text = place.substr(0, 256);
    std::size_t size = 0;
    buffer[size++] = static_cast<char>(tag_crashed);
    // The text's length as a varint of one or two bytes.
    const bool two = text.size() > 0x7F;
    buffer[size++] = static_cast<char>((text.size() & 0x7F) | (two ? 0x80U : 0U));
    if (two) buffer[size++] = static_cast<char>(text.size() >> 7U);
    text.copy(buffer.data() + size, text.size());
    return {buffer.data(), size + text.size()};
}

}  // namespace frame
}  // namespace holdfast
