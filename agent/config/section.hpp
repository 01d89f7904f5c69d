// Reads one table of the configuration key by key: typed values, each with its range, every problem noted
// where it stands.
//
// A section learns its keys from what it is asked for, so that reading a section is a plain list of its keys;
// finish() then reports what nobody asked for. A value that is absent or wrong gives the fallback, and
// reading goes on.
#pragma once

#include <concepts>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "config/node.hpp"
#include "config/report.hpp"
#include "config/text_rules.hpp"
#include "model/reading.hpp"

namespace holdfast::config {

class Section {
  public:
    // `table` null: the section is not in any file, so that every key has its fallback. `title` as in
    // "unknown key ... TITLE". Report, table and the keys asked for outlive the section.
    Section(Report& report, const Table* table, Position where, std::string title)
        : report_(&report), table_(table), where_(where), title_(std::move(title)) {}

    bool has(std::string_view key) const;
    bool is_set(std::string_view key) const;                    // has it, and it is not ""
    Position where(std::string_view key) const;                 // of its value; when absent, of the section
    void problem(std::string_view key, std::string_view text);  // at the key's value
    void problem_at(Position where, std::string_view key, std::string_view text);
    void require(std::initializer_list<std::string_view> keys);
    void finish();  // after the last key: notes the keys that are not known

    bool boolean(std::string_view key, bool fallback);
    double number(std::string_view key, double fallback);
    std::string text(std::string_view key, TextRule rule, const std::string& fallback);
    std::vector<std::string> texts(std::string_view key, TextRule rule);
    struct Element {
        Position where;
        std::string text;
    };
    std::vector<Element> elements(std::string_view key, TextRule rule);  // texts that are to be read further
    Tags text_map(std::string_view key, TextRule rule);                  // keys as those of tags
    Bytes size(std::string_view key, Bytes least, Bytes most, Bytes fallback);
    std::filesystem::path file(std::string_view key);  // a readable file, absolute; empty when absent or ""

    template <std::integral T>
    T integer(std::string_view key, std::type_identity_t<T> least, std::type_identity_t<T> most, T fallback) {
        const auto value = integer_in(key, static_cast<std::int64_t>(least), static_cast<std::int64_t>(most));
        return value ? static_cast<T>(*value) : fallback;
    }

    // In whole units of Duration: keep_alive of "1500ms" is a problem.
    template <typename Duration>
    Duration duration(std::string_view key, std::type_identity_t<Duration> least,
                      std::type_identity_t<Duration> most, Duration fallback) {
        const auto value = duration_in(key, least, most, Duration(1));
        return value ? std::chrono::duration_cast<Duration>(*value) : fallback;
    }

    template <typename E>
    E choice(std::string_view key,
             std::initializer_list<std::pair<std::string_view, std::type_identity_t<E>>> words, E fallback) {
        std::vector<std::string_view> names;
        for (const auto& word : words)
            names.push_back(word.first);
        const auto index = word_in(key, names);
        return index ? (words.begin() + *index)->second : fallback;
    }
    std::optional<std::size_t> word_in(std::string_view key, const std::vector<std::string_view>& words);

    const Table* table(std::string_view key);  // to be read otherwise; null when absent
    // The table below this one; empty when absent.
    Section section(std::string_view key, std::string title);
    std::vector<Section> sections(std::string_view key, const std::string& title);  // of an array of tables

  private:
    const Node* find(std::string_view key);
    void mismatch(std::string_view key, std::string_view expected, const Node& found);
    bool obeys(std::string_view key, const Node& node, TextRule rule);
    std::optional<std::int64_t> integer_in(std::string_view key, std::int64_t least, std::int64_t most);
    std::optional<Micros> duration_in(std::string_view key, Micros least, Micros most, Micros unit);

    Report* report_;
    const Table* table_;
    Position where_;
    std::string title_;
    std::vector<std::string_view> known_;
};

}  // namespace holdfast::config
