#include "forward/expiry_notice.hpp"

#include "forward/wall_dates.hpp"

namespace holdfast {
namespace {

constexpr std::int64_t first_warning_days = 30;

}  // namespace

std::optional<std::string> ExpiryNotice::look(std::int64_t ends_wall_us, std::int64_t wall_us) {
    const std::int64_t days = days_until(ends_wall_us, wall_us);
    if (!clock_is_plausible(wall_us) || days > first_warning_days) return std::nullopt;
    if (said_of_ == ends_wall_us && said_at_ == days) return std::nullopt;
    said_of_ = ends_wall_us;
    said_at_ = days;
    if (days < 0) return whose_ + " has expired on " + date_text(ends_wall_us);
    const std::string left = days == 0   ? "in less than a day"
                             : days == 1 ? "in 1 day"
                                         : "in " + std::to_string(days) + " days";
    return whose_ + " expires " + left + ", on " + date_text(ends_wall_us);
}

}  // namespace holdfast
