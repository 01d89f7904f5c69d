#include "buffer/thin_rows.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "model/thinning.hpp"

namespace holdfast {
namespace {

using std::chrono::seconds;

// Rows of one input that may become one.
struct Group {
    std::vector<Batch> rows;
    seconds step{0};  // they have now
};

std::optional<seconds> step_of(const Batch& batch) {
    const auto body = decode_body(batch.header.kind, batch.body);
    return body ? std::optional(body->step) : std::nullopt;
}

// The next step at which two readings or more meet in a window.
std::optional<seconds> useful_step(const Group& group) {
    std::uint64_t count = 0;
    std::int64_t first_us = group.rows.front().header.first_us;
    std::int64_t last_us = first_us;
    for (const Batch& row : group.rows) {
        count += row.header.count;
        first_us = std::min(first_us, row.header.first_us);
        last_us = std::max(last_us, row.header.last_us);
    }
    if (count < 2) return std::nullopt;
    const std::int64_t apart_us = (last_us - first_us) / static_cast<std::int64_t>(count - 1);
    auto step = next_thinning_step(group.step);
    while (step && Micros(*step).count() < 2 * apart_us)
        step = next_thinning_step(*step);
    return step;
}

// By the coarsest step that is allowed; without a limit by the next that makes it smaller.
void merge(Group group, const MostStep& most, Thinned& out) {
    const auto limit = most(group.rows.back().header);
    auto step = useful_step(group);
    if (!step) return;
    if (limit && *step > *limit) {
        out.limited = true;
        return;
    }
    if (limit)
        for (auto next = step; next && *next <= *limit; next = next_thinning_step(*next))
            step = next;
    auto merged = thin(group.rows, *step);
    // Full: two or three readings take less than what stands for them.
    while (!merged && merged.error().kind == Error::Kind::full && !limit &&
           (step = next_thinning_step(*step)))
        merged = thin(group.rows, *step);
    if (!merged) {
        out.limited = out.limited || limit;
        return;
    }
    Coarser coarser;
    for (Batch& row : group.rows)
        coarser.replaced.push_back(std::move(row.header));
    coarser.batches = std::move(*merged);
    out.coarser.push_back(std::move(coarser));
}

}  // namespace

Thinned make_coarser(std::vector<Batch> rows, const MostStep& most) {
    std::map<std::string, Group> open;  // by input
    Thinned out;
    for (Batch& row : rows) {
        if (row.header.kind == BatchKind::gap) continue;
        const auto step = step_of(row);
        Group& group = open[row.header.input];
        const bool joins =
            step && !group.rows.empty() && group.step == *step && mergeable(group.rows.front(), row);
        if (!joins && !group.rows.empty()) merge(std::exchange(group, {}), most, out);
        if (!step) continue;
        group.step = *step;
        group.rows.push_back(std::move(row));
    }
    for (auto& [input, group] : open)
        if (!group.rows.empty()) merge(std::move(group), most, out);
    return out;
}

}  // namespace holdfast
