#include "shared/lines/record.hpp"
#include "shared/text/number.hpp"

namespace lines {

namespace {

// Days since 1970-01-01 in the Gregorian calendar; a year is taken to begin in March, so that the leap day is
// its last.
std::int64_t days_since_1970(int year, int month, int day) {
    const std::int64_t y = year - (month <= 2 ? 1 : 0);
    const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const std::int64_t days_before_1970 = 719'468;  // from 0000-03-01
    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - days_before_1970;
}

int days_in(int year, int month) {
    constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (leap && month == 2 ? 1 : 0);
}

// Takes a fixed number of digits and remembers whether all was as it should be.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : text_(text) {}

    int number(std::size_t digits, int least, int most) {
        int value = 0;
        for (std::size_t i = 0; i < digits; ++i)
            value = value * 10 + digit();
        good_ = good_ && value >= least && value <= most;
        return good_ ? value : least;
    }
    void expect(std::string_view any_of) {
        good_ = good_ && !text_.empty() && any_of.find(text_[0]) != std::string_view::npos;
        if (good_) text_.remove_prefix(1);
    }
    bool next_is(char c) const { return good_ && text_.starts_with(c); }
    bool next_is_digit() const { return good_ && !text_.empty() && text_[0] >= '0' && text_[0] <= '9'; }
    int digit() {
        good_ = next_is_digit();
        if (!good_) return 0;
        const int value = text_[0] - '0';
        text_.remove_prefix(1);
        return value;
    }
    bool ended_well() const { return good_ && text_.empty(); }

  private:
    std::string_view text_;
    bool good_ = true;
};

std::int64_t take_fraction_us(Scanner& in) {
    if (!in.next_is('.')) return 0;
    in.expect(".");
    std::int64_t unit = 100'000;
    std::int64_t micros = in.digit() * unit;
    while (in.next_is_digit()) {
        unit /= 10;
        micros += in.digit() * unit;
    }
    return micros;
}

std::int64_t take_offset_minutes(Scanner& in) {
    const int sign = in.next_is('-') ? -1 : in.next_is('+') ? 1 : 0;
    in.expect("Zz+-");
    if (sign == 0) return 0;
    const int hours = in.number(2, 0, 23);
    in.expect(":");
    return sign * (hours * 60 + in.number(2, 0, 59));
}

}  // namespace

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
    Scanner in(text);
    const int year = in.number(4, 0, 9999);
    in.expect("-");
    const int month = in.number(2, 1, 12);
    in.expect("-");
    const int day = in.number(2, 1, days_in(year, month));
    in.expect("Tt ");
    const int hour = in.number(2, 0, 23);
    in.expect(":");
    const int minute = in.number(2, 0, 59);
    in.expect(":");
    const int second = in.number(2, 0, 60);  // 60: a leap second
    const std::int64_t fraction_us = take_fraction_us(in);
    const std::int64_t offset_minutes = take_offset_minutes(in);
    if (!in.ended_well()) return std::nullopt;
    const std::int64_t minutes =
        days_since_1970(year, month, day) * 1440 + hour * 60 + minute - offset_minutes;
    return (minutes * 60 + second) * 1'000'000 + fraction_us;
}

}  // namespace lines
