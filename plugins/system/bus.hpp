// A question to systemd over the system's D-Bus, by libsystemd. The library is loaded when the first question
// is asked, so that only an input that asks has its memory to carry (README.md says how much).
#pragma once

#include <string>
#include <vector>

namespace system_input {

struct Unit {
    std::string name;
    std::string load;    // "loaded", "not-found", "masked", ...
    std::string active;  // "active", "inactive", "failed", "activating", ...
    std::string sub;     // "running", "exited", "dead", ...
};

// Names may hold `*` and `?`, and then give those of the loaded units that fit. Takes at most some seconds.
// Throws std::runtime_error with the reason. `root`: empty, or where another system's /run is.
std::vector<Unit> ask_for_units(const std::string& root, const std::vector<std::string>& names);

}  // namespace system_input
