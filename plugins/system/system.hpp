// The `system` input: how this machine is doing, one reading per sample with everything that `collect` names.
//
// Rates are over the time since the sample before. The constructor takes the base line, so that the first
// reading has them, too; it comes a quarter of a second after the start.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <holdfast/plugin.hpp>

#include "source.hpp"

namespace system_input {

class System {
  public:
    using Clock = std::int64_t (*)();  // microseconds, monotonic

    // Throws EINVAL when `collect` names a group that there is not, or an option what can't be selected.
    explicit System(holdfast::plugin::Host host, Clock clock = holdfast::plugin::monotonic_us);
    static void check(holdfast::plugin::Host host);
    int sample();

  private:
    void read_sources();
    void tell_trouble();

    holdfast::plugin::Host host_;
    Clock clock_;
    SensorFiles files_;
    Values values_;
    std::vector<std::unique_ptr<Source>> sources_;
    std::string trouble_;  // what was told last
    std::int64_t last_us_;
    std::int64_t first_due_us_;
};

}  // namespace system_input
