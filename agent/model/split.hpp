// A batch whose message is too large for the broker, cut into smaller ones.
#pragma once

#include <cstddef>
#include <vector>

#include "base/result.hpp"
#include "model/batch.hpp"

namespace holdfast {

// At least two batches that together have the readings of the batch, in their order, with the header's times
// and counts their own; a message of each has at most `room` bytes of readings (model/message_size.hpp), but
// for a reading that is larger alone. They have no seq yet. Fails with corrupt when the body is damaged, and
// with full when there are not two readings.
Result<std::vector<Batch>> split_batch(const Batch& batch, std::size_t room);

}  // namespace holdfast
