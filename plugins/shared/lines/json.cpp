#include <algorithm>

#include "shared/lines/record.hpp"
#include "shared/text/number.hpp"

namespace lines {

using plugin_text::to_number;

namespace {

constexpr int deepest = 16;  // objects within objects

void append_utf8(std::string& text, std::uint32_t c) {
    const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
    if (c < 0x80) return put(c);
    if (c < 0x800) {
        put(0xC0 | (c >> 6));
    } else {
        if (c < 0x10000) {
            put(0xE0 | (c >> 12));
        } else {
            put(0xF0 | (c >> 18));
            put(0x80 | ((c >> 12) & 0x3F));
        }
        put(0x80 | ((c >> 6) & 0x3F));
    }
    put(0x80 | (c & 0x3F));
}

class JsonLine {
  public:
    JsonLine(std::string_view line, Record& record) : line_(line), record_(record) {}

    void parse() {
        skip_blanks();
        if (at_end()) return;
        expect('{', "an object");
        object("", 1);
        skip_blanks();
        if (!at_end()) wrong("the end of the line after the object");
        if (record_.fields.empty()) throw LineError("json: the object has no value");
    }

  private:
    // The rest of an object after its '{'.
    void object(const std::string& prefix, int depth) {
        if (depth > deepest) throw LineError("json: objects more than 16 deep");
        skip_blanks();
        if (take('}')) return;
        do {
            skip_blanks();
            expect('"', "a key in double quotes");
            const std::string key = prefix + string();
            if (key.find('\0') != std::string::npos) throw LineError("json: a key holds U+0000");
            skip_blanks();
            expect(':', "':' after the key");
            skip_blanks();
            member(key, depth);
            skip_blanks();
        } while (take(','));
        expect('}', "',' or '}'");
    }

    void member(const std::string& key, int depth) {
        if (depth == 1 && key == "ts") return time();
        if (take('{')) return object(key + ".", depth + 1);
        if (peek() == '[')
            throw LineError("json: channel '" + key + "' is an array, which no channel can hold");
        record_.fields.push_back({key, scalar()});
    }

    FieldValue scalar() {
        if (take('"')) return string();
        if (take_word("true")) return true;
        if (take_word("false")) return false;
        if (take_word("null")) return Null{};
        return number();
    }

    void time() {
        if (record_.wall_time_us) throw LineError("json: 'ts' twice");
        if (take_word("null")) return;
        std::optional<std::int64_t> time_us;
        if (take('"')) {
            time_us = parse_rfc3339(string());
        } else if (const double ms = number(); ms >= 0 && ms * 1000 <= static_cast<double>(latest_time_us)) {
            time_us = static_cast<std::int64_t>(std::llround(ms * 1000));
        }
        if (!time_us || *time_us < 0 || *time_us > latest_time_us)
            throw LineError(
                "json: 'ts' is neither milliseconds since 1970 nor an RFC 3339 time from 1970 to 9999");
        record_.wall_time_us = time_us;
    }

    // As RFC 8259 has it: no leading zero, no '+', digits on both sides of the point.
    double number() {
        const std::size_t begin = at_;
        take('-');
        if (!take('0')) digits();
        if (take('.')) digits();
        if (take('e') || take('E')) {
            if (!take('+')) take('-');
            digits();
        }
        const auto value = to_number<double>(line_.substr(begin, at_ - begin));
        if (!value) throw LineError("json: a number out of range at byte " + std::to_string(begin + 1));
        return *value;
    }

    void digits() {
        if (!is_digit(peek())) wrong("a value");
        while (is_digit(peek()))
            ++at_;
    }

    // The rest of a string after its '"'.
    std::string string() {
        std::string text;
        while (!take('"')) {
            const auto c = static_cast<unsigned char>(peek());
            if (at_end() || c < 0x20) wrong("the end of a string");
            ++at_;
            if (c == '\\')
                escape(text);
            else
                text += static_cast<char>(c);
        }
        return text;
    }

    void escape(std::string& text) {
        constexpr std::string_view letters = "\"\\/bfnrt";
        constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
        if (take('u')) return append_utf8(text, code_point());
        const std::size_t letter = at_end() ? letters.npos : letters.find(peek());
        if (letter == letters.npos) wrong("an escape that JSON knows");
        ++at_;
        text += meanings[letter];
    }

    std::uint32_t code_point() {
        const std::uint32_t first = hex4();
        if (first < 0xD800 || first > 0xDFFF) return first;
        if (first > 0xDBFF || !take_word("\\u")) wrong("a pair of surrogates");
        const std::uint32_t second = hex4();
        if (second < 0xDC00 || second > 0xDFFF) wrong("a pair of surrogates");
        return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    }

    std::uint32_t hex4() {
        const std::string_view text = line_.substr(at_, 4);
        const auto value = to_number<std::uint32_t>(text, 16);
        if (text.size() < 4 || !value) wrong("four hexadecimal digits");
        at_ += 4;
        return *value;
    }

    static bool is_digit(char c) { return c >= '0' && c <= '9'; }
    bool at_end() const { return at_ == line_.size(); }
    char peek() const { return at_end() ? '\0' : line_[at_]; }
    bool take(char c) {
        const bool there = !at_end() && line_[at_] == c;
        if (there) ++at_;
        return there;
    }
    bool take_word(std::string_view word) {
        const bool there = line_.substr(at_).starts_with(word);
        if (there) at_ += word.size();
        return there;
    }
    void skip_blanks() { at_ = std::min(line_.find_first_not_of(" \t\r\n", at_), line_.size()); }
    void expect(char c, const char* what) {
        if (!take(c)) wrong(what);
    }
    [[noreturn]] void wrong(const char* expected) const {
        throw LineError(std::string("json: expected ") + expected + " at byte " + std::to_string(at_ + 1));
    }

    std::string_view line_;
    Record& record_;
    std::size_t at_ = 0;
};

}  // namespace

void parse_json(std::string_view line, Record& record) {
    JsonLine(line, record).parse();
}

}  // namespace lines
