#include "model/thinning.hpp"

#include <algorithm>
#include <cmath>

#include "model/thinned_output.hpp"
#include "model/thinned_windows.hpp"

namespace holdfast {
namespace {

using thinning::Numbers;
using thinning::Output;
using thinning::Window;
using thinning::Windows;

// The offset is the same through a boot but for how exactly it was measured; the clock being set shows as
// more.
constexpr std::int64_t most_offset_difference_us = 100'000;
// Bounds the memory to some MiB; whoever has more takes a coarser step.
constexpr std::size_t most_cells = 64 * 1024;

Error damaged() {
    return {Error::Kind::corrupt, "damaged batch of thinned readings"};
}

// The version and the tags, as they stand in a body; empty when they are damaged.
std::string_view encoded_tags(std::string_view body) {
    wire::Cursor in(body);
    in.byte();
    const std::uint64_t tags = in.count(max_tags);
    for (std::uint64_t i = 0; i < 2 * tags; ++i)
        in.text(max_name_bytes);
    return in.ok() ? body.substr(0, body.size() - in.left()) : std::string_view();
}

std::int64_t end_of_step(std::int64_t time_us, std::chrono::seconds step) {
    const std::int64_t step_us = std::chrono::microseconds(step).count();
    const std::int64_t into = time_us % step_us + (time_us % step_us < 0 ? step_us : 0);
    std::int64_t end = 0;
    if (__builtin_add_overflow(time_us, step_us - 1 - into, &end)) return time_us;
    return end;
}

// Takes the readings of one batch into windows.
class Intake {
  public:
    Intake(const BatchHeader& header, const BatchBody& body) : header_(header), step_(body.step) {
        reader_.feed(body.stream);
    }

    // Goes on to the end: true; or to the first reading with a channel that the windows know by another type
    // or unit: false, and it goes on with that one when it is given other windows.
    Result<bool> add_to(Windows& windows) {
        source_of_.clear();
        while (true) {
            if (!std::exchange(pending_, false)) {
                const Result<bool> more = reader_.next();
                if (!more || !*more) return more ? Result<bool>(true) : more;
            }
            const Result<bool> known = learn_channels(windows);
            if (!known) return known;
            pending_ = !*known;
            if (pending_) return false;
            if (!add_reading(windows)) return damaged();
            if (windows.cell_count() > most_cells)
                return Error{Error::Kind::full, "too many values to thin at once"};
        }
    }

  private:
    // Not a channel that begins a group.
    static constexpr std::uint32_t inner = 0xFFFF'FFFF;

    // False: the windows know one by another type or unit.
    Result<bool> learn_channels(Windows& windows) {
        const std::vector<Channel>& channels = reader_.channels();
        while (source_of_.size() < channels.size()) {
            const Channel& head = channels[source_of_.size()];
            const std::uint32_t size = is_thinned() ? group_size(source_of_.size()) : 1;
            if (size == 0) return damaged();
            const ValueType type = head.type == ValueType::i64 ? ValueType::f64 : head.type;
            const auto source = windows.source(head.name, type, head.unit);
            if (!source) return false;
            source_of_.push_back(*source);
            source_of_.resize(source_of_.size() + size - 1, inner);
        }
        return true;
    }

    // How many channels the group has that begins there; 0: it is none.
    std::uint32_t group_size(std::size_t head) const {
        const std::vector<Channel>& channels = reader_.channels();
        const ValueType type = channels[head].type;
        const std::uint32_t size = thinning::group_size(type);
        if (type == ValueType::i64 || channels.size() - head < size) return 0;
        for (std::size_t i = head + 1; i < head + size; ++i) {
            const bool last = i + 1 == head + size;
            if (channels[i].type != (last ? ValueType::i64 : ValueType::f64)) return 0;
        }
        return size;
    }

    bool add_reading(Windows& windows) {
        const Reading& reading = reader_.reading();
        const std::int64_t offset = reading.base == TimeBase::wall ? header_.wall_offset_us : 0;
        Window& window = windows.window(reading, last_of(reading, offset), offset);
        std::span<const Value> left = reading.values;
        while (!left.empty()) {
            const std::uint32_t source = source_of_[left.front().channel];
            if (source == inner) return false;
            const std::size_t size = is_thinned() ? thinning::group_size(left.front().type) : 1;
            if (left.size() < size) return false;
            for (std::size_t i = 1; i < size; ++i)
                if (left[i].channel != left.front().channel + i) return false;
            if (!add_values(windows, window, source, left.first(size))) return false;
            left = left.subspan(size);
        }
        return true;
    }

    // Until when it stands, on its own clock.
    std::int64_t last_of(const Reading& reading, std::int64_t offset) const {
        if (!is_thinned()) return reading.time_us;
        std::int64_t last = 0;
        if (__builtin_add_overflow(header_.last_us, offset, &last)) last = reading.time_us;
        return std::max(reading.time_us, std::min(last, end_of_step(reading.time_us, step_)));
    }

    bool add_values(Windows& windows, Window& window, std::uint32_t source, std::span<const Value> values) {
        const Value& first = values.front();
        const std::int64_t count = is_thinned() ? values.back().i64 : 1;
        if (first.type == ValueType::boolean || first.type == ValueType::string)
            return count > 0 && windows.add_last(window, source, first, count, reader_.reading().time_us);
        const auto numbers = is_thinned() ? thinned_numbers(values) : one_number(first);
        return numbers && windows.add_numbers(window, source, *numbers);
    }

    static std::optional<Numbers> one_number(const Value& value) {
        const double number = value.type == ValueType::i64 ? static_cast<double>(value.i64) : value.f64;
        if (!std::isfinite(number)) return Numbers{};
        return Numbers{number, number, number, 1};
    }

    // None: they can't be.
    static std::optional<Numbers> thinned_numbers(std::span<const Value> values) {
        const Numbers numbers{values[0].f64, values[1].f64, values[2].f64, values[3].i64};
        if (numbers.count == 0) return Numbers{};
        const bool sound = numbers.count > 0 && std::isfinite(numbers.min) && std::isfinite(numbers.max) &&
                           numbers.min <= numbers.mean && numbers.mean <= numbers.max;
        return sound ? std::optional(numbers) : std::nullopt;
    }

    bool is_thinned() const { return header_.kind == BatchKind::thinned; }

    const BatchHeader& header_;
    std::chrono::seconds step_;
    ReadingReader reader_;
    bool pending_ = false;                  // the reading that the reader is at is not added yet
    std::vector<std::uint32_t> source_of_;  // by channel; `inner` within a group
};

}  // namespace

std::optional<std::chrono::seconds> next_thinning_step(std::chrono::seconds step) {
    const auto* const next = std::upper_bound(thinning_steps.begin(), thinning_steps.end(), step);
    return next == thinning_steps.end() ? std::nullopt : std::optional(*next);
}

bool mergeable(const Batch& a, const Batch& b) {
    if (a.header.kind == BatchKind::gap || b.header.kind == BatchKind::gap) return false;
    std::int64_t difference = 0;
    if (__builtin_sub_overflow(a.header.wall_offset_us, b.header.wall_offset_us, &difference)) return false;
    if (difference < -most_offset_difference_us || difference > most_offset_difference_us) return false;
    const std::string_view tags = encoded_tags(a.body);
    return a.header.input == b.header.input && a.header.priority == b.header.priority &&
           a.header.boot == b.header.boot && a.header.clock == b.header.clock && !tags.empty() &&
           b.body.starts_with(tags);
}

Result<std::vector<Batch>> thin(std::span<const Batch> batches, std::chrono::seconds step,
                                Bytes most_message) {
    std::optional<Output> output;
    std::optional<Windows> windows(step);
    std::size_t bytes_before = 0;
    for (const Batch& batch : batches) {
        bytes_before += batch.body.size();
        const auto body = decode_body(batch.header.kind, batch.body);
        if (!body) return body.error();
        if (!output) output.emplace(batches.back().header, body->tags, step, most_message);
        Intake intake(batch.header, *body);
        while (true) {
            const Result<bool> done = intake.add_to(*windows);
            if (!done) return done.error();
            if (*done) break;
            output->write(*windows);
            windows.emplace(step);
        }
    }
    output->write(*windows);
    std::vector<Batch> made = output->take();
    if (made.empty()) return damaged();  // not one reading in all of them
    std::size_t bytes = 0;
    for (const Batch& batch : made)
        bytes += batch.body.size();
    if (made.size() > batches.size() || bytes >= bytes_before)
        return Error{Error::Kind::full, "this step of thinning makes nothing smaller"};
    return made;
}

}  // namespace holdfast
