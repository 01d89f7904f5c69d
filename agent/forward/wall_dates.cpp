#include "forward/wall_dates.hpp"

#include <chrono>
#include <cstdio>

namespace holdfast {

std::string date_text(std::int64_t wall_us) {
    using namespace std::chrono;
    const sys_time<microseconds> time{microseconds(wall_us)};
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(floor<seconds>(time - day));
    char text[100];  // for any numbers, so that the compiler sees it too
    std::snprintf(text, sizeof text, "%04d-%02u-%02u %02ld:%02ld:%02ldZ", int{date.year()},
                  unsigned{date.month()}, unsigned{date.day()}, static_cast<long>(clock.hours().count()),
                  static_cast<long>(clock.minutes().count()), static_cast<long>(clock.seconds().count()));
    return text;
}

}  // namespace holdfast
