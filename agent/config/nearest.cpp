#include "config/nearest.hpp"

#include <algorithm>
#include <cstddef>

namespace holdfast::config {
namespace {

// Longer words are no slip of a known one; the bound keeps the cost of hostile keys small.
constexpr std::size_t longest_word = 64;

// Optimal string alignment distance: insertions, deletions, substitutions, and swaps of neighbours.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), current(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        current[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            current[j] = std::min({last[j] + 1, current[j - 1] + 1, last[j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                current[j] = std::min(current[j], before[j - 2] + 1);
        }
        before.swap(last);
        last.swap(current);
    }
    return last[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known) {
    if (word.size() > longest_word) return {};
    std::string_view best;
    std::size_t least = 0;
    for (const std::string_view candidate : known) {
        const auto [shorter, longer] = std::minmax({word.size(), candidate.size()});
        const std::size_t bound = std::max<std::size_t>(1, longer / 3);
        if (longer - shorter > bound) continue;
        const std::size_t d = distance(word, candidate);
        if (d > bound || (!best.empty() && d >= least)) continue;
        best = candidate;
        least = d;
    }
    return best;
}

std::string any_of(const std::vector<std::string_view>& words) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
        out += words[i];
    }
    return out;
}

}  // namespace holdfast::config
