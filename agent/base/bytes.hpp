// A size in bytes that is not mistaken for a count.
#pragma once

#include <compare>
#include <cstdint>

namespace holdfast {

struct Bytes {
    std::uint64_t count = 0;
    auto operator<=>(const Bytes&) const = default;
};

constexpr Bytes kibibytes(std::uint64_t n) {
    return {n * 1024};
}
constexpr Bytes mebibytes(std::uint64_t n) {
    return {n * 1024 * 1024};
}

}  // namespace holdfast
