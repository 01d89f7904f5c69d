// The first byte of each frame, and what its parts may measure at most: shared by encoding and decoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace holdfast::frame {

// Enough for a path, a help line, a message; a longer message is cut by the sender.
inline constexpr std::size_t max_text = 8 * 1024;
// An option may be a script.
inline constexpr std::size_t max_option_text = 64 * 1024;
inline constexpr std::size_t max_items = 4096;
inline constexpr std::uint64_t most_u32 = std::numeric_limits<std::uint32_t>::max();

inline constexpr std::uint8_t tag_describe = 'D', tag_configure = 'C', tag_exercise = 'Y', tag_check = 'H',
                              tag_description = 'd', tag_opened = 'O', tag_failed = 'F', tag_missed = 'M',
                              tag_gone = 'G', tag_open_failed = 'X', tag_log = 'L', tag_beat = 'B',
                              tag_restarted = 'S', tag_crashed = 'K', tag_round = 'r', tag_finished = 'E';

}  // namespace holdfast::frame
