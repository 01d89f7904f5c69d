// Cuts a stream of bytes into lines, in bounded memory: what is longer than `most` bytes is told once and
// skipped to its end.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace lines {

class LineReader {
  public:
    explicit LineReader(std::size_t most) : most_(most) {}

    // Calls line(std::string_view) for each line that is whole now, without its line end ("\n" or "\r\n"),
    // and too_long() for each that has just become too long.
    template <typename Line, typename TooLong>
    void feed(std::string_view bytes, Line line, TooLong too_long) {
        while (!bytes.empty()) {
            const std::size_t end = bytes.find('\n');
            take(bytes.substr(0, end), too_long);
            if (end == std::string_view::npos) return;
            finish(line);
            bytes.remove_prefix(end + 1);
        }
    }

    // The stream has ended, or the line: what is left is a line, too.
    template <typename Line>
    void finish(Line line) {
        // Moved out, as `line` may throw.
        std::string whole = std::move(rest_);
        rest_.clear();
        if (!std::exchange(skipping_, false) && !whole.empty()) {
            if (whole.back() == '\r') whole.pop_back();
            line(std::string_view(whole));
        }
        whole.clear();
        rest_ = std::move(whole);
    }

    // Forgets what is left.
    void clear() {
        rest_.clear();
        skipping_ = false;
    }

  private:
    template <typename TooLong>
    void take(std::string_view part, TooLong too_long) {
        if (skipping_) return;
        // One byte more for the "\r" that is no part of the line.
        if (rest_.size() + part.size() > most_ + (part.ends_with('\r') ? 1 : 0)) {
            rest_.clear();
            skipping_ = true;
            return too_long();
        }
        rest_ += part;
    }

    std::size_t most_;
    std::string rest_;
    bool skipping_ = false;
};

}  // namespace lines
