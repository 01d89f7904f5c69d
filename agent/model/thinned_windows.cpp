#include "model/thinned_windows.hpp"

#include <algorithm>

#include "model/wire.hpp"

namespace holdfast::thinning {
namespace {

// With it only what is below 1e-288 loses bits.
constexpr double sum_scale = 0x1p-64;

constexpr std::uint32_t no_text = 0xFFFF'FFFF;

std::int64_t divide_down(std::int64_t value, std::int64_t divisor) {
    return value / divisor - (value % divisor < 0 ? 1 : 0);
}

std::int64_t saturating_subtract(std::int64_t a, std::int64_t b) {
    std::int64_t difference = 0;
    if (!__builtin_sub_overflow(a, b, &difference)) return difference;
    return b < 0 ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
}

bool add_count(std::int64_t& count, std::int64_t more) {
    return !__builtin_add_overflow(count, more, &count);
}

}  // namespace

Numbers Cell::numbers() const {
    if (count == 0) {
        constexpr double none = std::numeric_limits<double>::quiet_NaN();
        return {none, none, none, 0};
    }
    const double mean = scaled_sum / static_cast<double>(count) / sum_scale;
    return {std::clamp(mean, min, max), min, max, count};  // rounding may have taken it beyond them
}

Windows::Windows(std::chrono::seconds step) : step_us_(std::chrono::microseconds(step).count()) {}

std::optional<std::uint32_t> Windows::source(std::string_view name, ValueType type, std::string_view unit) {
    const auto number = static_cast<std::uint32_t>(sources_.size());
    const auto [found, added] = source_of_name_.try_emplace(std::string(name), number);
    if (added) {
        sources_.push_back({std::string(name), type, std::string(unit)});
        text_of_source_.push_back(no_text);
        return number;
    }
    const Source& known = sources_[found->second];
    if (known.type != type || known.unit != unit) return std::nullopt;
    return found->second;
}

std::uint32_t Windows::series_of(const Reading& reading) {
    std::string key(1, reading.base == TimeBase::wall ? 'w' : 'b');
    for (const TagView& tag : reading.tags) {
        wire::put_text(key, tag.key);
        wire::put_text(key, tag.value);
    }
    const auto number = static_cast<std::uint32_t>(series_.size());
    const auto [found, added] = series_of_key_.try_emplace(std::move(key), number);
    if (added) {
        Series& made = series_.emplace_back();
        made.base = reading.base;
        for (const TagView& tag : reading.tags)
            made.tags.emplace_back(tag.key, tag.value);
    }
    return found->second;
}

Window& Windows::window(const Reading& reading, std::int64_t last_us, std::int64_t boot_offset_us) {
    hint_ = 0;
    const std::uint32_t series = series_of(reading);
    const auto [found, added] = series_[series].windows.try_emplace(
        divide_down(reading.time_us, step_us_), static_cast<std::uint32_t>(windows_.size()));
    const std::int64_t first_boot_us = saturating_subtract(reading.time_us, boot_offset_us);
    const std::int64_t last_boot_us = saturating_subtract(last_us, boot_offset_us);
    if (added) {
        windows_.push_back({series, reading.time_us, first_boot_us, last_boot_us, {}});
        return windows_.back();
    }
    Window& known = windows_[found->second];
    known.time_us = std::min(known.time_us, reading.time_us);
    known.first_us = std::min(known.first_us, first_boot_us);
    known.last_us = std::max(known.last_us, last_boot_us);
    return known;
}

Cell& Windows::cell(Window& window, std::uint32_t source) {
    std::vector<Cell>& cells = window.cells;
    if (hint_ >= cells.size() || cells[hint_].source != source) {
        const auto at =
            std::lower_bound(cells.begin(), cells.end(), source,
                             [](const Cell& cell, std::uint32_t number) { return cell.source < number; });
        hint_ = static_cast<std::size_t>(at - cells.begin());
        if (at == cells.end() || at->source != source) {
            cells.insert(at, Cell{})->source = source;
            ++cell_count_;
        }
    }
    return cells[hint_++];
}

bool Windows::add_numbers(Window& window, std::uint32_t source, const Numbers& numbers) {
    Cell& to = cell(window, source);
    if (numbers.count == 0) return true;
    to.scaled_sum += numbers.mean * sum_scale * static_cast<double>(numbers.count);
    to.min = std::min(to.min, numbers.min);
    to.max = std::max(to.max, numbers.max);
    return add_count(to.count, numbers.count);
}

bool Windows::add_last(Window& window, std::uint32_t source, const Value& value, std::int64_t count,
                       std::int64_t time_us) {
    Cell& to = cell(window, source);
    if (time_us >= to.last_us) {
        to.last_us = time_us;
        to.last = value.type == ValueType::string ? text(source, value.string) : value.boolean;
    }
    return add_count(to.count, count);
}

std::uint32_t Windows::text(std::uint32_t source, std::string_view text) {
    std::uint32_t& latest = text_of_source_[source];
    if (latest == no_text || texts_[latest] != text) {
        latest = static_cast<std::uint32_t>(texts_.size());
        texts_.emplace_back(text);
    }
    return latest;
}

Value Windows::last_value(const Cell& cell) const {
    if (sources_[cell.source].type == ValueType::string)
        return Value::of(0, std::string_view(texts_[cell.last]));
    return Value::of(0, cell.last != 0);
}

}  // namespace holdfast::thinning
