#include "config/section.hpp"

#include <algorithm>
#include <limits>

#include "config/files.hpp"
#include "config/nearest.hpp"
#include "config/scalars.hpp"

namespace holdfast::config {
namespace {

std::string integer_from(std::int64_t least, std::int64_t most) {
    using Limits = std::numeric_limits<std::int64_t>;
    if (least == Limits::min() && most == Limits::max()) return "an integer";
    return "an integer from " + std::to_string(least) + " to " + std::to_string(most);
}

std::string duration_from(Micros least, Micros most, Micros unit) {
    std::string text =
        "a duration such as \"10s\" or \"1h30m\" from " + to_text(least) + " to " + to_text(most);
    if (unit > Micros(1))
        text += " in whole " + std::string(unit == std::chrono::seconds(1) ? "seconds" : "milliseconds");
    return text;
}

std::string size_from(Bytes least, Bytes most) {
    return "a size such as \"64KiB\" or \"256MiB\" from " + to_text(least) + " to " + to_text(most);
}

}  // namespace

bool Section::has(std::string_view key) const {
    return table_ != nullptr && config::find(*table_, key) != nullptr;
}

bool Section::is_set(std::string_view key) const {
    if (!has(key)) return false;
    const auto* const text = config::find(*table_, key)->value.as<std::string>();
    return text == nullptr || !text->empty();
}

Position Section::where(std::string_view key) const {
    const Entry* const entry = table_ == nullptr ? nullptr : config::find(*table_, key);
    return entry == nullptr ? where_ : entry->value.where;
}

void Section::problem(std::string_view key, std::string_view text) {
    problem_at(where(key), key, text);
}

void Section::problem_at(Position where, std::string_view key, std::string_view text) {
    report_->add(where, std::string(key).append(": ").append(text));
}

void Section::require(std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys)
        if (!has(key)) report_->add(where_, "\"" + std::string(key) + "\" is missing " + title_);
}

void Section::finish() {
    if (table_ == nullptr) return;
    for (const Entry& entry : table_->entries) {
        if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
        std::string text = "unknown key " + describe(Node{{}, entry.key}) + ' ' + title_;
        if (const std::string_view meant = nearest(entry.key, known_); !meant.empty())
            text += "; did you mean \"" + std::string(meant) + "\"?";
        else
            text += known_.empty() ? "; it takes none" : "; it takes " + any_of(known_);
        report_->add(entry.where, std::move(text));
    }
}

const Node* Section::find(std::string_view key) {
    known_.push_back(key);
    const Entry* const entry = table_ == nullptr ? nullptr : config::find(*table_, key);
    return entry == nullptr || entry->value.as<Broken>() != nullptr ? nullptr : &entry->value;
}

void Section::mismatch(std::string_view key, std::string_view expected, const Node& found) {
    problem_at(found.where, key, "expected " + std::string(expected) + ", found " + describe(found));
}

bool Section::obeys(std::string_view key, const Node& node, TextRule rule) {
    const auto* const text = node.as<std::string>();
    if (text == nullptr) {
        if (node.as<Broken>() == nullptr) mismatch(key, "a string", node);
        return false;
    }
    const auto sound = rule(*text);
    if (!sound) problem_at(node.where, key, sound.error().text);
    return sound.has_value();
}

bool Section::boolean(std::string_view key, bool fallback) {
    const Node* const node = find(key);
    if (node == nullptr) return fallback;
    if (const auto* const value = node->as<bool>()) return *value;
    mismatch(key, "true or false", *node);
    return fallback;
}

double Section::number(std::string_view key, double fallback) {
    const Node* const node = find(key);
    if (node == nullptr) return fallback;
    if (const auto* const integer = node->as<std::int64_t>()) return static_cast<double>(*integer);
    if (const auto* const value = node->as<double>()) return *value;
    mismatch(key, "a number", *node);
    return fallback;
}

std::optional<std::int64_t> Section::integer_in(std::string_view key, std::int64_t least, std::int64_t most) {
    const Node* const node = find(key);
    if (node == nullptr) return std::nullopt;
    const auto* const value = node->as<std::int64_t>();
    if (value != nullptr && *value >= least && *value <= most) return *value;
    mismatch(key, integer_from(least, most), *node);
    return std::nullopt;
}

std::optional<Micros> Section::duration_in(std::string_view key, Micros least, Micros most, Micros unit) {
    const Node* const node = find(key);
    if (node == nullptr) return std::nullopt;
    const auto* const text = node->as<std::string>();
    const auto value = text == nullptr ? std::nullopt : parse_duration(*text);
    if (value && *value >= least && *value <= most && *value % unit == Micros(0)) return value;
    mismatch(key, duration_from(least, most, unit), *node);
    return std::nullopt;
}

Bytes Section::size(std::string_view key, Bytes least, Bytes most, Bytes fallback) {
    const Node* const node = find(key);
    if (node == nullptr) return fallback;
    const auto* const text = node->as<std::string>();
    const auto value = text == nullptr ? std::nullopt : parse_size(*text);
    if (value && *value >= least && *value <= most) return *value;
    mismatch(key, size_from(least, most), *node);
    return fallback;
}

std::optional<std::size_t> Section::word_in(std::string_view key,
                                            const std::vector<std::string_view>& words) {
    const Node* const node = find(key);
    if (node == nullptr) return std::nullopt;
    const auto* const text = node->as<std::string>();
    const auto at = text == nullptr ? words.end() : std::find(words.begin(), words.end(), *text);
    if (at != words.end()) return static_cast<std::size_t>(at - words.begin());
    mismatch(key, any_of(words), *node);
    return std::nullopt;
}

std::string Section::text(std::string_view key, TextRule rule, const std::string& fallback) {
    const Node* const node = find(key);
    return node != nullptr && obeys(key, *node, rule) ? *node->as<std::string>() : fallback;
}

std::vector<Section::Element> Section::elements(std::string_view key, TextRule rule) {
    const Node* const node = find(key);
    if (node == nullptr) return {};
    const auto* const array = node->as<Array>();
    if (array == nullptr) {
        // A single string is the likely slip, and not repeated: a URL may hold a password.
        if (node->as<std::string>() != nullptr)
            problem(key, "expected an array of strings, found a single one: put it in brackets");
        else
            mismatch(key, "an array of strings", *node);
        return {};
    }
    std::vector<Element> out;
    for (const Node& element : *array)
        if (obeys(key, element, rule)) out.push_back({element.where, *element.as<std::string>()});
    return out;
}

std::vector<std::string> Section::texts(std::string_view key, TextRule rule) {
    std::vector<std::string> out;
    for (Element& element : elements(key, rule))
        out.push_back(std::move(element.text));
    return out;
}

Tags Section::text_map(std::string_view key, TextRule rule) {
    const Node* const node = find(key);
    if (node == nullptr) return {};
    const auto* const table = node->as<Table>();
    if (table == nullptr) {
        mismatch(key, "a table of strings", *node);
        return {};
    }
    Tags out;
    for (const Entry& entry : table->entries) {
        const auto sound = check_tag_key(entry.key);
        if (!sound) problem_at(entry.where, key, "key: " + sound.error().text);
        if (obeys(key, entry.value, rule) && sound)
            out.emplace_back(entry.key, *entry.value.as<std::string>());
    }
    return out;
}

std::filesystem::path Section::file(std::string_view key) {
    const Node* const node = find(key);
    if (node == nullptr || !obeys(key, *node, check_anything)) return {};
    const auto& written = *node->as<std::string>();
    if (written.empty()) return {};
    auto found = find_readable(written, report_->file(node->where).parent_path());
    if (found) return std::move(*found);
    problem(key, found.error().text);
    return {};
}

const Table* Section::table(std::string_view key) {
    const Node* const node = find(key);
    const auto* const found = node == nullptr ? nullptr : node->as<Table>();
    if (node != nullptr && found == nullptr) mismatch(key, "a table", *node);
    return found;
}

Section Section::section(std::string_view key, std::string title) {
    return {*report_, table(key), where(key), std::move(title)};
}

std::vector<Section> Section::sections(std::string_view key, const std::string& title) {
    const Node* const node = find(key);
    if (node == nullptr) return {};
    const std::string expected = "tables, each under [[" + std::string(key) + "]]";
    const auto* const array = node->as<Array>();
    if (array == nullptr) {
        mismatch(key, expected, *node);
        return {};
    }
    std::vector<Section> out;
    for (const Node& element : *array) {
        if (const auto* const table = element.as<Table>())
            out.emplace_back(*report_, table, element.where, title);
        else
            mismatch(key, expected, element);
    }
    return out;
}

}  // namespace holdfast::config
