// Replaces batches by coarser ones, for a buffer that has no room left: of each channel and each window of
// time the mean, the least and the greatest value and how many there were. Pure functions; their owner is the
// buffer, on the store thread.
//
// What the outcome looks like, and what becomes of names that collide, is in docs/buffer-format.md.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "model/batch.hpp"

namespace holdfast {

// The steps of thinning, ascending; each divides the next, so that thinning twice is as thinning once.
inline constexpr std::array<std::chrono::seconds, 7> thinning_steps{
    std::chrono::seconds(1), std::chrono::seconds(10), std::chrono::minutes(1), std::chrono::minutes(10),
    std::chrono::hours(1),   std::chrono::hours(6),    std::chrono::hours(24)};

// The next coarser step than that of a batch (0 s: it is not thinned); none: it is as coarse as it gets.
std::optional<std::chrono::seconds> next_thinning_step(std::chrono::seconds step);

// Whether the two may be thinned into one: readings, thinned or not, of one input, boot and clock, with the
// same tags. To be asked of each batch of a set and the first of it, for the clocks may differ by a little.
bool mergeable(const Batch& a, const Batch& b);

// What the message of a batch that thin() makes may take, if its broker takes what the agent sends by
// default.
inline constexpr Bytes default_thinned_message = kibibytes(64);

// Thins the batches to windows of `step`. The outcome is one batch, or more where one would break a bound of
// the format or its message would be larger than `most_message`; never more batches than went in, and of
// fewer bytes. Their `seq`, `message_seq` and `arrived_s` are 0, the caller's to give. Precondition: at least
// one batch, in order, each mergeable() with the first and not coarser than `step`. Fails with corrupt when a
// body is damaged, and with full when the batches can't be made smaller by this step: a coarser one may do
// it.
Result<std::vector<Batch>> thin(std::span<const Batch> batches, std::chrono::seconds step,
                                Bytes most_message = default_thinned_message);

}  // namespace holdfast
