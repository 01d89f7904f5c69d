#include "buffer/gap_ledger.hpp"

#include <algorithm>
#include <limits>

namespace holdfast {

bool GapLedger::has(std::uint64_t seq) const {
    return std::any_of(gaps_.begin(), gaps_.end(),
                       [&](const auto& gap) { return gap.second.batch.header.seq == seq; });
}

bool GapLedger::changed() const {
    return std::any_of(gaps_.begin(), gaps_.end(), [](const auto& gap) { return gap.second.changed; });
}

Tags GapLedger::tags_of(const BatchBody& body) {
    Tags tags;
    for (const TagView& tag : body.tags)
        tags.emplace_back(tag.key, tag.value);
    return tags;
}

// Batches of several boots meet in a record, so its ends are compared as wall times and then put on the last
// batch's clock.
void GapLedger::extend(Gap& gap, const BatchHeader& dropped, const Tags& tags, GapReason reason) {
    BatchHeader& header = gap.batch.header;
    std::int64_t from = dropped.first_us + dropped.wall_offset_us;
    std::int64_t to = dropped.last_us + dropped.wall_offset_us;
    if (header.count > 0) {
        from = std::min(from, header.first_us + header.wall_offset_us);
        to = std::max(to, header.last_us + header.wall_offset_us);
    }
    if (header.count == 0) header.arrived_s = dropped.arrived_s;
    header.input = dropped.input;
    header.priority = Priority::high;  // told with the first chance, dropped last
    header.kind = BatchKind::gap;
    header.count += std::min(dropped.count, std::numeric_limits<std::uint32_t>::max() - header.count);
    header.boot = dropped.boot;
    header.wall_offset_us = dropped.wall_offset_us;
    header.clock = dropped.clock;
    header.first_us = from - header.wall_offset_us;
    header.last_us = to - header.wall_offset_us;
    gap.batch.body = encode_gap_body(tags, reason);
    gap.changed = true;
}

}  // namespace holdfast
