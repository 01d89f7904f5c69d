// How far a file was read, kept in a file of its own.
//
// It is written in place and not synced, so that following costs no flash beyond what the system writes back
// by itself: after a power cut it may be half a minute old. That is the safe side: the agent may have lost
// what it had only in memory, and such lines are read again.
#pragma once

#include <optional>
#include <string>

#include "shared/device/fd.hpp"
#include "tail.hpp"

namespace file_input {

class PositionFile {
  public:
    // To look: it is only read, if it is there, and saving has no effect.
    enum class Use { keep, look };
    // To keep: opens it, or makes it, and locks it. Throws with the reason; EBUSY when another input has it.
    PositionFile(const std::string& path, Use use);

    struct Kept {
        std::optional<Place> place;
        bool interrupted = false;  // lines after the place may have been taken
        bool damaged = false;      // there was a place once, and it can't be read
    };
    Kept load();

    // Lines behind the kept place are about to be taken.
    void begin();
    void save(const Place& place);

  private:
    void write();

    std::string path_;
    Use use_;
    device::Fd fd_;
    std::optional<Place> place_;
    bool taking_ = false;
};

// Text of one line of always the same length; none when it is no such text, whatever it is.
std::string encode(const Place& place, char state);
std::optional<std::pair<Place, char>> decode(std::string_view text);

}  // namespace file_input
