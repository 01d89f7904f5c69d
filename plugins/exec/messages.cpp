#include "messages.hpp"

#include <utility>

#include "shared/lines/text.hpp"

namespace exec_input {

namespace {

constexpr std::int64_t minute = 60'000'000;
constexpr int most_lines = 20;
constexpr std::size_t shown_bytes = 512;

}  // namespace

void Messages::feed(std::string_view bytes, std::int64_t now_us) {
    lines_.feed(
        bytes, [&](std::string_view line) { take_line(line, now_us); },
        [&] { take_line("(a line of more than 4096 bytes)", now_us); });
}

std::string Messages::finish(std::int64_t now_us) {
    lines_.finish([&](std::string_view line) { take_line(line, now_us); });
    return std::exchange(last_, {});
}

void Messages::take_line(std::string_view line, std::int64_t now_us) {
    last_ = lines::printable(line, shown_bytes);
    if (minute_us_ == 0 || now_us - minute_us_ >= minute) begin_minute(now_us);
    if (logged_ < most_lines) {
        ++logged_;
        host_.log(HOLDFAST_LOG_INFO, "stderr: " + last_);
    } else {
        ++left_out_;
    }
}

void Messages::begin_minute(std::int64_t now_us) {
    minute_us_ = now_us;
    logged_ = 0;
    if (const int left_out = std::exchange(left_out_, 0); left_out > 0)
        host_.log(HOLDFAST_LOG_INFO, "stderr: " + std::to_string(left_out) + " more lines were not logged");
}

}  // namespace exec_input
