// Follows the lines of a file by its path, through rotation by renaming or by copying and truncating, through
// times in which the file or its directory is not there, and, with a position file, over restarts.
//
// A file that no longer has the name is read for a minute more, as its writer may not know yet; what follows
// in the new one comes after it. Each look reads at most 1 MiB and asks for another one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/plugin.hpp>

#include "notices.hpp"
#include "position.hpp"
#include "shared/lines/line_readings.hpp"
#include "tail.hpp"

namespace file_input {

using Clock = std::int64_t (*)();  // microseconds, monotonic

class Follower {
  public:
    struct Settings {
        std::string path;
        std::string position_file;  // empty: none
        bool from_beginning = false;
    };

    // Throws when the position file can't be used. `readings` outlives it.
    Follower(holdfast::plugin::Host host, Settings settings, lines::LineReadings& readings, Clock clock);

    // Takes what is new. To be called once an interval; what goes wrong is told to the host, once.
    void look();
    // The watched descriptor is ready.
    void on_change();
    // How many lines were taken.
    std::uint64_t lines() const { return lines_; }

  private:
    void load_position();
    void look_at_path();
    void open_current(int watch);
    void resume(Tail& opened);
    bool was_followed(const Tail& tail) const;
    void begin_at_end(Tail& opened);
    void retire();
    void read_all();
    bool read_to_end(Tail& tail);
    void tell_change(Tail& tail);
    void leave_finished();
    void note_place();
    void take_line(std::string_view line);
    void say(const std::string& trouble);

    holdfast::plugin::Host host_;
    Settings settings_;
    std::string directory_;
    lines::LineReadings& readings_;
    Clock clock_;
    Notices notices_;
    std::optional<PositionFile> position_;
    std::vector<Tail> old_;    // oldest first
    std::vector<Place> left_;  // the ends of those that were read to there
    std::optional<Tail> current_;
    std::optional<Place> resume_;  // where to go on in a file that is looked for
    bool resumes_after_restart_ = false;
    bool first_ = true;
    std::uint64_t lines_ = 0;
    std::size_t budget_ = 0;
    bool taking_ = false;  // lines of this look
    std::string trouble_;  // what was said last
};

}  // namespace file_input
