// The dates of OpenSSL in the agent's own form.
#pragma once

#include <openssl/asn1.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>

namespace holdfast {

// None: the certificate holds no date that can be read. Not by timegm(): certificates outlive a time_t of 32
// bits.
inline std::optional<std::int64_t> wall_us_of(const ASN1_TIME* time) {
    using namespace std::chrono;
    tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
    const sys_days day{year(parts.tm_year + 1900) / (parts.tm_mon + 1) / parts.tm_mday};
    const auto moment = day + hours(parts.tm_hour) + minutes(parts.tm_min) + seconds(parts.tm_sec);
    return microseconds(moment.time_since_epoch()).count();
}

}  // namespace holdfast
