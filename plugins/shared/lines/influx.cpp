#include <algorithm>

#include "shared/lines/record.hpp"
#include "shared/text/number.hpp"

namespace lines {

using plugin_text::to_number;
using plugin_text::trimmed;

namespace {

// measurement[,tag=value...] field=value[,field=value...] [timestamp in ns]
class InfluxLine {
  public:
    InfluxLine(std::string_view line, Record& record) : rest_(line), record_(record) {}

    void parse() {
        const std::string measurement = name(", ", "a measurement");
        while (take(','))
            tag();
        expect(' ', "a blank before the fields");
        skip_blanks();
        do
            field(measurement);
        while (take(','));
        skip_blanks();
        if (!rest_.empty()) timestamp();
    }

  private:
    void tag() {
        std::string key = name("=, ", "a tag's key");
        expect('=', "'=' after a tag's key");
        record_.tags.emplace_back(std::move(key), name(", ", "a tag's value"));
    }

    void field(const std::string& measurement) {
        std::string channel = measurement + "." + name("=, ", "a field's key");
        expect('=', "'=' after a field's key");
        FieldValue value = take('"') ? string() : literal();
        record_.fields.push_back({std::move(channel), std::move(value)});
    }

    // Up to one of `ends`; a backslash makes a comma, an equals sign or a blank part of the name.
    std::string name(std::string_view ends, const char* what) {
        constexpr std::string_view escapable = ",= ";
        std::string text;
        while (!rest_.empty() && ends.find(rest_[0]) == ends.npos) {
            if (rest_[0] == '\\' && rest_.size() > 1 && escapable.find(rest_[1]) != escapable.npos)
                rest_.remove_prefix(1);
            text += rest_[0];
            rest_.remove_prefix(1);
        }
        if (text.empty()) wrong(what);
        return text;
    }

    // The rest of a string after its '"'; a backslash makes a quote or a backslash part of it.
    std::string string() {
        std::string text;
        while (!take('"')) {
            if (rest_.empty()) wrong("the end of a string");
            if (rest_.starts_with("\\\"") || rest_.starts_with("\\\\")) rest_.remove_prefix(1);
            text += rest_[0];
            rest_.remove_prefix(1);
        }
        return text;
    }

    FieldValue literal() {
        std::string_view word = rest_.substr(0, rest_.find_first_of(", "));
        rest_.remove_prefix(word.size());
        for (const std::string_view yes : {"t", "T", "true", "True", "TRUE"})
            if (word == yes) return true;
        for (const std::string_view no : {"f", "F", "false", "False", "FALSE"})
            if (word == no) return false;
        // An unsigned number above the largest signed one is refused.
        const bool integer = word.ends_with('i') || (word.ends_with('u') && !word.starts_with('-'));
        if (integer) {
            if (const auto number = to_number<std::int64_t>(word.substr(0, word.size() - 1))) return *number;
        } else if (const auto number = to_number<double>(word.substr(word.starts_with('+') ? 1 : 0))) {
            return *number;
        }
        throw LineError("influx: a field's value is neither number, boolean nor string, or is out of range");
    }

    void timestamp() {
        const auto time_ns = to_number<std::int64_t>(trimmed(rest_));
        if (!time_ns || *time_ns < 0)
            throw LineError("influx: the timestamp is not a number of nanoseconds since 1970");
        record_.wall_time_us = *time_ns / 1000;
    }

    bool take(char c) {
        const bool there = rest_.starts_with(c);
        if (there) rest_.remove_prefix(1);
        return there;
    }
    void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size())); }
    void expect(char c, const char* what) {
        if (!take(c)) wrong(what);
    }
    [[noreturn]] static void wrong(const char* expected) {
        throw LineError(std::string("influx: expected ") + expected);
    }

    std::string_view rest_;
    Record& record_;
};

}  // namespace

void parse_influx(std::string_view line, Record& record) {
    line = trimmed(line);
    if (line.empty() || line.starts_with('#')) return;
    InfluxLine(line, record).parse();
}

}  // namespace lines
