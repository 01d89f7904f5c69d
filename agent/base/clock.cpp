#include "base/clock.hpp"

#include <fcntl.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "base/unique_fd.hpp"

namespace holdfast {
namespace {

std::int64_t read_clock(clockid_t id) {
    timespec value{};
    ::clock_gettime(id, &value);
    return static_cast<std::int64_t>(value.tv_sec) * 1'000'000 + value.tv_nsec / 1000;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

}  // namespace

std::int64_t SystemClock::boot_us() const {
    return read_clock(CLOCK_BOOTTIME);
}
std::int64_t SystemClock::wall_us() const {
    return read_clock(CLOCK_REALTIME);
}

bool SystemClock::synchronised() const {
    timex state{};
    return ::adjtimex(&state) != -1 && (state.status & STA_UNSYNC) == 0;
}

BootId read_boot_id() {
    BootId id{};
    const UniqueFd file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
    char text[64];
    const ssize_t length = file ? ::read(file.get(), text, sizeof text) : 0;
    std::size_t digits = 0;
    for (ssize_t i = 0; i < length && digits < 2 * id.size(); ++i) {
        const int value = hex_digit(text[i]);
        if (value < 0) continue;
        id[digits / 2] = static_cast<std::uint8_t>((id[digits / 2] << 4) | value);
        ++digits;
    }
    return id;
}

}  // namespace holdfast
