// A spec: a thing described in the one line of text that an option's value is, such as
//
//     gpiochip0:17 counter pull-up debounce=5ms unit=m3
//
// It is words apart by blanks. What stands between single quotes is taken as it is, blanks and all.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace plugin_text {

// Says what is wrong with a spec and what is allowed.
struct SpecError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The words, quotes still in them. Throws SpecError: a quote that is not closed, a control character.
std::vector<std::string_view> spec_words(std::string_view spec);

// The text without its quotes.
std::string unquoted(std::string_view text);

// A word in two at its first, or last, separator outside quotes; nothing when it has none.
struct SplitWord {
    std::string_view before;
    std::string_view after;
};
std::optional<SplitWord> split_at_first(std::string_view word, char separator);
std::optional<SplitWord> split_at_last(std::string_view word, char separator);

// Microseconds of "250us", "5ms", "10s", "2m", "1h": a whole number and one unit.
std::optional<std::int64_t> to_duration_us(std::string_view text);

// The value of a word that says NAME=NUMBER. Throws SpecError when it is no finite number.
double number_of(std::string_view name, std::string_view text);

std::string joined(std::span<const std::string> texts, std::string_view separator);

// "one, two or three"
std::string listed(std::span<const std::string_view> words);

// What a spec of something may say: a word (no example), or NAME=VALUE. `set` gets the value without quotes
// and throws SpecError when it is none that is allowed.
template <typename Described>
struct SpecItem {
    std::string_view name;
    std::string_view example;
    void (*set)(Described&, const std::string& value);
};

// Sets what the words say. Throws SpecError: a word that is not among the items or is there twice, a value
// that is missing or too much.
template <typename Described>
void read_spec(std::span<const std::string_view> words, std::span<const SpecItem<Described>> items,
               Described& into);

namespace detail {
struct SpecWord {
    std::string name;
    std::optional<std::string> value;
};
SpecWord spec_word(std::string_view word);
[[noreturn]] void refuse_unknown(const std::string& name, std::span<const std::string_view> known);
void check_value(const SpecWord& word, std::string_view example);
}  // namespace detail

template <typename Described>
void read_spec(std::span<const std::string_view> words, std::span<const SpecItem<Described>> items,
               Described& into) {
    std::vector<std::string_view> known;
    for (const SpecItem<Described>& item : items)
        known.push_back(item.name);
    std::vector<bool> seen(items.size());
    for (const std::string_view text : words) {
        const detail::SpecWord word = detail::spec_word(text);
        std::size_t at = 0;
        while (at < items.size() && items[at].name != word.name)
            ++at;
        if (at == items.size()) detail::refuse_unknown(word.name, known);
        detail::check_value(word, items[at].example);
        if (seen[at]) throw SpecError("'" + word.name + "' is there twice");
        seen[at] = true;
        items[at].set(into, word.value.value_or(""));
    }
}

}  // namespace plugin_text
