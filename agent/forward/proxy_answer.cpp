#include "forward/proxy_answer.hpp"

#include <strings.h>

#include <algorithm>

namespace holdfast {
namespace {

constexpr std::string_view beginning = "HTTP/1.";
constexpr std::size_t most_of_reason = 80;
constexpr std::size_t most_schemes = 8;
constexpr std::size_t most_of_scheme = 20;
constexpr int switching_protocols = 101;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::string printable(std::string_view text, std::size_t most) {
    std::string out(text.substr(0, most));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return out;
}

std::string_view without_leading_space(std::string_view text) {
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t")));
    return text;
}

// A list is parted by commas that are not in quotes (RFC 9110, 5.6.1 and 5.6.4).
std::string_view take_list_member(std::string_view& list) {
    bool quoted = false;
    std::size_t end = 0;
    for (; end < list.size() && (quoted || list[end] != ','); ++end) {
        if (list[end] == '"') quoted = !quoted;
        if (quoted && list[end] == '\\') ++end;
    }
    const std::string_view member = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    return member;
}

}  // namespace

std::size_t ProxyAnswer::take(std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (++bytes_ > most_bytes) {
            state_ = State::too_long;
            return i;
        }
        if (bytes[i] != '\n') {
            line_ += bytes[i];
            if (status_ == 0 && !may_be_http()) state_ = State::no_http;
        } else {
            if (line_.ends_with('\r')) line_.pop_back();
            end_line();
            line_.clear();
        }
        if (state_ != State::incomplete) return i + 1;
    }
    return bytes.size();
}

// So that what is no HTTP is known by its first bytes: the rest may never come.
bool ProxyAnswer::may_be_http() const {
    return beginning.starts_with(std::string_view(line_).substr(0, beginning.size()));
}

void ProxyAnswer::end_line() {
    if (status_ == 0) {
        if (!read_status_line()) state_ = State::no_http;
    } else if (!line_.empty()) {
        read_header();
    } else if (status_ < 200 && status_ != switching_protocols) {
        status_ = 0;
        schemes_.clear();
    } else {
        state_ = State::complete;
    }
}

// "HTTP/1.1 200 Connection established"; the reason, and the space before it, may be absent.
bool ProxyAnswer::read_status_line() {
    std::string_view rest = line_;
    if (!rest.starts_with(beginning)) return false;
    rest.remove_prefix(beginning.size());
    if (rest.size() < 5 || !is_digit(rest[0]) || rest[1] != ' ') return false;
    const std::string_view digits = rest.substr(2, 3);
    if (!std::all_of(digits.begin(), digits.end(), is_digit) || digits[0] == '0') return false;
    rest.remove_prefix(5);
    if (!rest.empty() && rest[0] != ' ') return false;
    status_ = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    reason_ = printable(without_leading_space(rest), most_of_reason);
    return true;
}

void ProxyAnswer::read_header() {
    constexpr std::string_view wanted = "proxy-authenticate:";
    if (line_.size() < wanted.size() || ::strncasecmp(line_.data(), wanted.data(), wanted.size()) != 0)
        return;
    std::string_view rest = std::string_view(line_).substr(wanted.size());
    while (!rest.empty()) {
        const std::string_view part = without_leading_space(take_list_member(rest));
        const std::string_view word = part.substr(0, part.find_first_of(" \t="));
        // name=value is a parameter of the scheme before.
        const bool is_parameter = word.size() < part.size() && part[word.size()] == '=';
        if (!word.empty() && !is_parameter && schemes_.size() < most_schemes)
            schemes_.push_back(printable(word, most_of_scheme));
    }
}

std::string ProxyAnswer::status_text() const {
    return std::to_string(status_) + (reason_.empty() ? "" : " " + reason_);
}

}  // namespace holdfast
