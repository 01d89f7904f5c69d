#include "model/thinned_output.hpp"

#include <algorithm>

#include "model/message_size.hpp"

namespace holdfast::thinning {
namespace {

constexpr std::uint32_t undefined = 0xFFFF'FFFF;

// {"agent":"","input":"","id":"0123456789abcdef-18446744073709551615","clock":"unsynchronised","tags":{},
// "thinned":"10m","readings":[]}, and an agent's id of usual length
constexpr std::size_t envelope_fixed_bytes = 256;

constexpr std::string_view number_suffixes[] = {"", ".min", ".max", ".count"};
constexpr std::string_view last_suffixes[] = {"", ".count"};

// The longest part of `name` that ends with a character and has at most `most` bytes.
std::string_view cut(std::string_view name, std::size_t most) {
    if (name.size() <= most) return name;
    while (most > 0 && (static_cast<unsigned char>(name[most]) & 0xC0) == 0x80)
        --most;
    return name.substr(0, most);
}

// `name` with `suffix`, cut and numbered so that it is no longer than a name may be and none of `taken`.
std::string derived_name(std::string_view name, std::string_view suffix,
                         std::unordered_set<std::string>& taken) {
    for (unsigned number = 1;; ++number) {
        std::string end(suffix);
        if (number > 1) end.append("'").append(std::to_string(number));
        std::string made(cut(name, max_name_bytes - end.size()));
        made += end;
        if (taken.insert(made).second) return made;
    }
}

}  // namespace

Output::Output(const BatchHeader& like, const std::vector<TagView>& tags, std::chrono::seconds step,
               Bytes most_message)
    : like_(like),
      head_(encode_thinned_head(tags, step)),
      envelope_bytes_(envelope_fixed_bytes + like.input.size() + message_size::of_reading(tags)),
      most_message_(static_cast<std::size_t>(most_message.count)) {
    like_.kind = BatchKind::thinned;
    like_.seq = like_.message_seq = 0;
    like_.arrived_s = 0;
    like_.count = 0;
}

void Output::name_groups(const std::vector<Source>& sources) {
    // A source keeps its name, whatever others are called.
    std::unordered_set<std::string> taken;
    for (const Source& source : sources)
        taken.insert(source.name);
    names_.clear();
    for (const Source& source : sources) {
        std::vector<std::string>& names = names_.emplace_back();
        const auto suffixes = source.type == ValueType::f64
                                  ? std::span<const std::string_view>(number_suffixes)
                                  : std::span<const std::string_view>(last_suffixes);
        names.push_back(source.name);
        for (const std::string_view suffix : suffixes.subspan(1))
            names.push_back(derived_name(source.name, suffix, taken));
    }
}

void Output::write(const Windows& windows) {
    name_groups(windows.sources());
    begin_batch();
    for (const Window& window : windows.windows())
        write_window(windows, window);
    end_batch();
}

void Output::put_group(const Windows& windows, const Cell& cell, std::vector<Value>& group) const {
    group.clear();
    if (windows.sources()[cell.source].type == ValueType::f64) {
        const Numbers numbers = cell.numbers();
        group.push_back(Value::of(0, numbers.mean));
        group.push_back(Value::of(0, numbers.min));
        group.push_back(Value::of(0, numbers.max));
    } else {
        group.push_back(windows.last_value(cell));
    }
    group.push_back(Value::of(0, cell.count));
}

void Output::write_window(const Windows& windows, const Window& window) {
    const std::size_t reading_bytes = message_size::of_reading(views_of(windows.series(window).tags));
    std::vector<Value> group;
    for (const Cell& cell : window.cells) {
        put_group(windows, cell, group);
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < group.size(); ++i)
            bytes += message_size::of_value(names_[cell.source][i], group[i]);
        const std::size_t text = group.front().string.size();

        const bool many_channels =
            channel_of_[cell.source] == undefined && writer_.channel_count() + group.size() > max_channels;
        const bool large = message_bytes_ + reading_bytes + bytes > most_message_;
        if (many_channels || large || text_bytes_ + text > max_reading_text_bytes)
            end_reading(windows, window);
        if (header_.count > 0 && (many_channels || large)) {
            end_batch();
            begin_batch();
        }
        if (channel_of_[cell.source] == undefined) define_group(windows.sources()[cell.source], cell.source);
        if (values_.empty()) message_bytes_ += reading_bytes;
        for (Value& value : group) {
            value.channel = channel_of_[cell.source] + static_cast<std::uint32_t>(&value - group.data());
            values_.push_back(value);
        }
        message_bytes_ += bytes;
        text_bytes_ += text;
    }
    end_reading(windows, window);
}

void Output::define_group(const Source& source, std::uint32_t number) {
    const std::vector<std::string>& names = names_[number];
    for (std::size_t i = 0; i < names.size(); ++i) {
        const bool count = i + 1 == names.size();
        const std::uint32_t channel =
            writer_.define({names[i], count ? ValueType::i64 : source.type, count ? "" : source.unit});
        if (i == 0) channel_of_[number] = channel;
    }
}

void Output::begin_batch() {
    header_ = like_;
    writer_.start_with(head_);
    channel_of_.assign(names_.size(), undefined);
    message_bytes_ = envelope_bytes_;
}

void Output::end_reading(const Windows& windows, const Window& window) {
    if (values_.empty()) return;
    const Series& series = windows.series(window);
    const std::vector<TagView> tags = views_of(series.tags);
    writer_.append({window.time_us, series.base, values_, tags});
    header_.first_us = header_.count == 0 ? window.first_us : std::min(header_.first_us, window.first_us);
    header_.last_us = header_.count == 0 ? window.last_us : std::max(header_.last_us, window.last_us);
    ++header_.count;
    values_.clear();
    text_bytes_ = 0;
}

void Output::end_batch() {
    std::string body = writer_.take(ReadingWriter::After::fresh);
    if (header_.count > 0) batches_.push_back({header_, std::move(body)});
}

}  // namespace holdfast::thinning
