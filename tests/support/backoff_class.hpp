// What AWS IoT Device Advisor would call the waits between attempts to connect.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace holdfast::test {

using Gaps = std::vector<double>;  // seconds from the end of an attempt or link to the next attempt

enum class BackoffKind { constant, linear, exponential, jitter };

inline bool is_constant(const Gaps& gaps) {
    const auto [least, most] = std::minmax_element(gaps.begin(), gaps.end());
    return *most < 1.25 * std::max(*least, 0.001);
}

inline bool is_linear(const Gaps& gaps) {
    for (std::size_t i = 2; i < gaps.size(); ++i)
        if (std::abs(gaps[i] - 2 * gaps[i - 1] + gaps[i - 2]) > 0.05 * gaps[i]) return false;
    return true;
}

inline bool is_exponential(const Gaps& gaps) {
    const double ratio = gaps[1] / std::max(gaps[0], 0.001);
    for (std::size_t i = 1; i < gaps.size(); ++i)
        if (std::abs(gaps[i] / std::max(gaps[i - 1], 0.001) - ratio) > 0.1 * ratio) return false;
    return true;
}

// Of two rounds.
inline BackoffKind classify(const Gaps& first, const Gaps& second) {
    int different = 0;
    for (std::size_t i = 0; i < first.size(); ++i)
        if (std::abs(first[i] - second[i]) > 0.1 * std::max(first[i], second[i])) ++different;
    if (different >= 3) return BackoffKind::jitter;
    if (is_constant(first)) return BackoffKind::constant;
    if (is_linear(first)) return BackoffKind::linear;
    return is_exponential(first) ? BackoffKind::exponential : BackoffKind::jitter;
}

}  // namespace holdfast::test
