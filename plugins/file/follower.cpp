#include "follower.hpp"

#include <poll.h>

#include <algorithm>
#include <system_error>

#include "rotated.hpp"

namespace file_input {

namespace plugin = holdfast::plugin;

namespace {

constexpr std::size_t most_per_look = 1024 * 1024;
constexpr std::int64_t grace_us = 60'000'000;
constexpr std::size_t most_old = 16;
constexpr std::size_t most_left = 64;

}  // namespace

Follower::Follower(plugin::Host host, Settings settings, lines::LineReadings& readings, Clock clock)
    : host_(host),
      settings_(std::move(settings)),
      directory_(directory_of(settings_.path)),
      readings_(readings),
      clock_(clock) {
    if (!settings_.position_file.empty()) load_position();
    if (notices_.fd() >= 0)
        host_.watch(notices_.fd(), POLLIN);
    else
        host_.log(HOLDFAST_LOG_WARNING, "the system gives no inotify instance: " + settings_.path +
                                            " is looked at once an interval");
}

void Follower::load_position() {
    position_.emplace(settings_.position_file,
                      host_.is_trial() ? PositionFile::Use::look : PositionFile::Use::keep);
    const PositionFile::Kept kept = position_->load();
    resume_ = kept.place;
    resumes_after_restart_ = resume_.has_value();
    if (kept.damaged)
        host_.error("position_file: " + settings_.position_file +
                    " is damaged: lines may be missing or come twice");
    if (kept.interrupted)
        host_.error("the input ended while it took lines: up to 1 MiB of " + settings_.path +
                    " may come twice, from byte " + std::to_string(resume_->offset) + " on");
}

void Follower::on_change() {
    notices_.clear();
    look();
}

void Follower::look() {
    budget_ = most_per_look;
    std::string trouble;
    try {
        look_at_path();
    } catch (const std::system_error& error) {
        trouble = error.what();
    }
    try {
        note_place();
        read_all();
        leave_finished();
        note_place();
    } catch (const std::system_error& error) {
        trouble = error.what();
    }
    say(trouble);
    if (budget_ == 0) host_.sample_after(0);
}

void Follower::look_at_path() {
    // Before the look, so that no change falls between both.
    const int watch = notices_.watch(directory_, settings_.path);
    struct stat status {};
    if (::stat(settings_.path.c_str(), &status) != 0) {
        const int reason = errno;
        retire();
        first_ = false;  // what appears later is new from its beginning
        plugin::fail(reason, "waiting for " + settings_.path);
    }
    if (current_ && current_->is_same_file(status)) return;
    retire();
    const auto back =
        std::find_if(old_.begin(), old_.end(), [&](const Tail& tail) { return tail.is_same_file(status); });
    if (back == old_.end()) return open_current(watch);
    current_ = std::move(*back);
    old_.erase(back);
    resume_.reset();
}

void Follower::open_current(int watch) {
    Tail opened(settings_.path);
    opened.watch = watch;
    if (resume_)
        resume(opened);
    else if (first_ && !settings_.from_beginning)
        begin_at_end(opened);
    first_ = false;
    current_ = std::move(opened);
}

void Follower::resume(Tail& opened) {
    const Place place = *resume_;
    const bool is_here = opened.holds(place);
    // The name may have gone to another file more than once since the last look. When this throws, the next
    // look goes on from the same place.
    std::vector<Tail> rotated;
    if (!is_here) rotated = rotated_since(settings_.path, place);
    resume_.reset();
    if (is_here) return opened.go_to(place);
    const bool restarted = std::exchange(resumes_after_restart_, false);
    if (rotated.empty() && restarted)
        host_.error(settings_.path +
                    " is another file than the one that was read before the restart, and the rest of that "
                    "can't be found beside it: lines may be missing");
    for (Tail& tail : rotated) {
        if (was_followed(tail)) continue;
        tail.until_us = clock_();
        old_.push_back(std::move(tail));
    }
}

bool Follower::was_followed(const Tail& tail) const {
    return std::any_of(left_.begin(), left_.end(), [&](const Place& end) { return tail.holds(end); }) ||
           std::any_of(old_.begin(), old_.end(),
                       [&](const Tail& other) { return other.inode() == tail.inode(); });
}

void Follower::begin_at_end(Tail& opened) {
    if (const std::uint64_t end = opened.go_to_end(); end > 0)
        host_.log(HOLDFAST_LOG_INFO, "begins at the end of " + settings_.path + ": the " +
                                         std::to_string(end) + " bytes before are not read");
}

// The path no longer leads to it.
void Follower::retire() {
    if (!current_) return;
    resume_ = current_->place();
    resumes_after_restart_ = false;
    current_->until_us = clock_() + grace_us;
    current_->look_again();
    old_.push_back(std::move(*current_));
    current_.reset();
    if (old_.size() > most_old) old_.front().until_us = clock_();
}

// A file that can't be read is left: the next look opens what the path leads to then.
void Follower::read_all() {
    for (auto tail = old_.begin(); tail != old_.end(); ++tail)
        try {
            if (!read_to_end(*tail)) return;
        } catch (const std::system_error&) {
            old_.erase(tail);
            throw;
        }
    if (current_) try {
            tell_change(*current_);
            read_to_end(*current_);
        } catch (const std::system_error&) {
            resume_ = current_->place();
            current_.reset();
            throw;
        }
}

// Whether it was read to its end, which it is not when this look has read enough.
bool Follower::read_to_end(Tail& tail) {
    const auto line = [this](std::string_view text) { take_line(text); };
    while (budget_ > 0) {
        const std::size_t got = tail.read(budget_, line, [this] { host_.error(lines::line_too_long); });
        if (got == 0) return true;
        budget_ -= got;
    }
    return false;
}

void Follower::tell_change(Tail& tail) {
    switch (tail.look_for_change()) {
        case Tail::Change::none:
            return;
        case Tail::Change::truncated:
            host_.log(HOLDFAST_LOG_INFO, settings_.path + " was truncated: it is read from its beginning");
            return;
        case Tail::Change::replaced:
            host_.error(settings_.path +
                        " was truncated and written anew between two looks: lines may be missing");
    }
}

void Follower::leave_finished() {
    const std::int64_t now_us = clock_();
    for (Tail& tail : old_)
        if (tail.is_at_end() && tail.until_us <= now_us) {
            tail.finish([this](std::string_view text) { take_line(text); });
            notices_.forget(tail.watch);
            if (left_.size() == most_left) left_.erase(left_.begin());
            if (const Place end = tail.place(); end.offset > 0) left_.push_back(end);
        }
    std::erase_if(old_, [&](const Tail& tail) { return tail.is_at_end() && tail.until_us <= now_us; });
}

void Follower::note_place() {
    const auto unread =
        std::find_if(old_.begin(), old_.end(), [](const Tail& tail) { return !tail.is_at_end(); });
    Tail* at = nullptr;
    if (unread != old_.end())
        at = &*unread;
    else if (current_)
        at = &*current_;
    else if (!old_.empty())
        at = &old_.back();
    if (at == nullptr) return;
    const Place place = at->place();
    if (current_) current_->place();  // its head is what a change is known by
    taking_ = false;
    if (position_) position_->save(place);
}

void Follower::take_line(std::string_view line) {
    if (position_ && !taking_) position_->begin();
    taking_ = true;
    ++lines_;
    readings_.take(line);
}

// Once, until it is mended (the text is empty) or something else is wrong.
void Follower::say(const std::string& trouble) {
    if (!trouble.empty() && trouble != trouble_) host_.error(trouble);
    trouble_ = trouble;
}

}  // namespace file_input
