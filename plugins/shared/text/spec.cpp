#include "shared/text/spec.hpp"

#include <algorithm>

#include "shared/text/number.hpp"

namespace plugin_text {

namespace {

constexpr std::string_view blanks = " \t";

// A char is signed or not as the processor has it.
bool is_control(unsigned char c) {
    return (c < ' ' && c != '\t') || c == 0x7F;
}

// Where the word at the front of the text ends.
std::size_t word_length(std::string_view text) {
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\'') quoted = !quoted;
        if (!quoted && blanks.find(text[i]) != std::string_view::npos) return i;
    }
    if (quoted) throw SpecError("a ' is opened and not closed");
    return text.size();
}

enum class Which { first, last };

std::optional<SplitWord> split(std::string_view word, char separator, Which which) {
    std::optional<std::size_t> at;
    bool quoted = false;
    for (std::size_t i = 0; i < word.size(); ++i) {
        if (word[i] == '\'') quoted = !quoted;
        if (quoted || word[i] != separator) continue;
        at = i;
        if (which == Which::first) break;
    }
    if (!at) return std::nullopt;
    return SplitWord{word.substr(0, *at), word.substr(*at + 1)};
}

}  // namespace

std::vector<std::string_view> spec_words(std::string_view spec) {
    if (std::any_of(spec.begin(), spec.end(), is_control)) throw SpecError("it has a control character");
    std::vector<std::string_view> words;
    while (true) {
        spec.remove_prefix(std::min(spec.find_first_not_of(blanks), spec.size()));
        if (spec.empty()) return words;
        const std::size_t length = word_length(spec);
        words.push_back(spec.substr(0, length));
        spec.remove_prefix(length);
    }
}

std::string unquoted(std::string_view text) {
    std::string plain(text);
    plain.erase(std::remove(plain.begin(), plain.end(), '\''), plain.end());
    return plain;
}

std::optional<SplitWord> split_at_first(std::string_view word, char separator) {
    return split(word, separator, Which::first);
}

std::optional<SplitWord> split_at_last(std::string_view word, char separator) {
    return split(word, separator, Which::last);
}

std::optional<std::int64_t> to_duration_us(std::string_view text) {
    struct Unit {
        std::string_view name;
        std::int64_t us;
    };
    constexpr Unit units[] = {
        {"us", 1}, {"ms", 1000}, {"s", 1'000'000}, {"m", 60'000'000}, {"h", 3'600'000'000}};
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = to_number<std::int64_t>(text.substr(0, digits));
    if (!number) return std::nullopt;
    for (const Unit& unit : units)
        if (unit.name == text.substr(digits) && *number <= INT64_MAX / unit.us) return *number * unit.us;
    return std::nullopt;
}

double number_of(std::string_view name, std::string_view text) {
    if (const auto number = to_number<double>(text)) return *number;
    throw SpecError(std::string(name) + "= takes a number, such as " + std::string(name) +
                    "=0.01, and not '" + std::string(text) + "'");
}

std::string joined(std::span<const std::string> texts, std::string_view separator) {
    std::string out;
    for (const std::string& text : texts)
        (out += out.empty() ? std::string_view() : separator) += text;
    return out;
}

std::string listed(std::span<const std::string_view> words) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
        text += words[i];
    }
    return text;
}

namespace detail {

SpecWord spec_word(std::string_view word) {
    const auto parts = split_at_first(word, '=');
    if (!parts) return {unquoted(word), std::nullopt};
    return {unquoted(parts->before), unquoted(parts->after)};
}

void refuse_unknown(const std::string& name, std::span<const std::string_view> known) {
    throw SpecError("there is no '" + name + "' here, only " + listed(known));
}

void check_value(const SpecWord& word, std::string_view example) {
    if (example.empty() && word.value) throw SpecError("'" + word.name + "' takes no value");
    if (!example.empty() && word.value.value_or("").empty())
        throw SpecError("'" + word.name + "' takes a value, as in " + word.name + "=" + std::string(example));
}

}  // namespace detail

}  // namespace plugin_text
