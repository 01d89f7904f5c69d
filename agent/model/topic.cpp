#include "model/topic.hpp"

#include <algorithm>

#include "base/utf8.hpp"

namespace holdfast {
namespace {

constexpr std::size_t max_topic_bytes = 65'535;  // MQTT 5, 1.5.4: a length of two bytes

Error wrong(std::string text) {
    return {Error::Kind::config, std::move(text)};
}

bool has_wildcard(std::string_view text) {
    return text.find_first_of("+#") != std::string_view::npos;
}

// Calls `literal` and `placeholder` for the parts of the template in order; fails where either does or a
// brace does not pair.
template <typename Literal, typename Placeholder>
Result<void> split(std::string_view text, Literal literal, Placeholder placeholder) {
    while (!text.empty()) {
        const std::size_t open = text.find_first_of("{}");
        literal(text.substr(0, open));
        if (open == std::string_view::npos) break;
        const std::size_t close = text.find('}', open);
        if (text[open] == '}' || close == std::string_view::npos)
            return wrong("unpaired brace; placeholders are {agent}, {input} and {tag:NAME}");
        if (auto sound = placeholder(text.substr(open + 1, close - open - 1)); !sound) return sound;
        text.remove_prefix(close + 1);
    }
    return {};
}

Error unknown_placeholder(std::string_view name) {
    return wrong("unknown placeholder {" + std::string(name) +
                 "}; placeholders are {agent}, {input} and {tag:NAME}");
}

bool is_placeholder(std::string_view name) {
    return name == "agent" || name == "input" || (name.starts_with("tag:") && name.size() > 4);
}

}  // namespace

Result<void> check_topic_template(std::string_view topic_template) {
    if (topic_template.empty()) return wrong("a topic must not be empty");
    if (topic_template.size() > max_topic_bytes) return wrong("a topic has at most 65535 bytes");
    if (!is_plain_text(topic_template)) return wrong("a topic must be UTF-8 without control characters");
    if (has_wildcard(topic_template)) return wrong("a topic to publish on must not have a wildcard (+ or #)");
    return split(
        topic_template, [](std::string_view) {},
        [](std::string_view name) -> Result<void> {
            if (is_placeholder(name)) return {};
            return unknown_placeholder(name);
        });
}

Result<std::string> expand_topic(std::string_view topic_template, std::string_view agent,
                                 std::string_view input, std::span<const TagView> tags) {
    std::string topic;
    const auto replace = [&](std::string_view name) -> Result<void> {
        if (name == "agent") {
            topic += agent;
        } else if (name == "input") {
            topic += input;
        } else if (!is_placeholder(name)) {
            return unknown_placeholder(name);
        } else {
            const auto tag = std::find_if(tags.begin(), tags.end(),
                                          [&](const TagView& t) { return t.key == name.substr(4); });
            if (tag == tags.end())
                return wrong("no tag \"" + std::string(name.substr(4)) + "\" for the topic");
            topic += tag->value;
        }
        return {};
    };
    if (auto sound = split(
            topic_template, [&](std::string_view text) { topic += text; }, replace);
        !sound)
        return sound.error();
    if (topic.empty() || topic.size() > max_topic_bytes || has_wildcard(topic) || !is_plain_text(topic))
        return wrong('"' + topic.substr(0, 200) +
                     "\" is no topic name: empty, too long, or with a wildcard or control character");
    return topic;
}

}  // namespace holdfast
