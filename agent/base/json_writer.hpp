// Appends JSON to a string: payloads, the status, the CLI's output. No tree, no allocation but the string's
// growth.
//
// Commas come by themselves: a value gets one unless it is the first in its object or array or follows its
// key. Nesting is the caller's to get right. The same calls give the same bytes.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

class JsonWriter {
  public:
    // Appends to `out`, which must outlive this.
    explicit JsonWriter(std::string& out) : out_(out), start_(out.size()) {}

    JsonWriter& begin_object() { return open('{'); }
    JsonWriter& end_object() { return close('}'); }
    JsonWriter& begin_array() { return open('['); }
    JsonWriter& end_array() { return close(']'); }

    // The name of the member whose value is written next. UTF-8.
    JsonWriter& key(std::string_view name);
    // Precondition: well-formed UTF-8.
    JsonWriter& text(std::string_view value);
    // For text from anywhere (error messages, file names): each byte that is not UTF-8 becomes U+FFFD.
    JsonWriter& any_text(std::string_view value);
    // The shortest form that reads back to the same number; a non-finite one becomes null and is counted.
    JsonWriter& number(double value);
    template <std::integral Integer>
    requires(!std::same_as<Integer, bool>) JsonWriter& number(Integer value) {
        if constexpr (std::signed_integral<Integer>)
            return integer(std::int64_t{value});
        else
            return integer(std::uint64_t{value});
    }
    JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
    JsonWriter& null() { return raw("null"); }
    JsonWriter& number_or_null(std::optional<std::int64_t> value) { return value ? number(*value) : null(); }
    // A value, or a key with its colon, that is JSON already.
    JsonWriter& raw(std::string_view json) {
        separate();
        out_ += json;
        return *this;
    }

    std::uint64_t non_finite() const { return non_finite_; }

  private:
    // What ends in one of these has no value yet; a value never does (a string ends in a quote).
    void separate() {
        if (out_.size() == start_) return;
        const char last = out_.back();
        if (last != '{' && last != '[' && last != ':') out_ += ',';
    }
    JsonWriter& open(char bracket) {
        separate();
        out_ += bracket;
        return *this;
    }
    JsonWriter& close(char bracket) {
        out_ += bracket;
        return *this;
    }
    JsonWriter& integer(std::int64_t value);
    JsonWriter& integer(std::uint64_t value);

    std::string& out_;
    std::size_t start_;
    std::uint64_t non_finite_ = 0;
};

// Appends the text as a JSON string with its quotes. Precondition: well-formed UTF-8.
void append_json_string(std::string& out, std::string_view text);

}  // namespace holdfast
