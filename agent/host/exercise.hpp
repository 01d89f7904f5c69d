// What `holdfast plugin-test` has a host do: open, sample and close a plugin over and over, and tell after
// each round what it answered and what it left behind. It only measures; who asked judges.
#pragma once

#include <cstdint>

#include "holdfast/plugin.h"
#include "host/outlet.hpp"
#include "host/services.hpp"

namespace holdfast::host {

class Exercise {
  public:
    Exercise(const holdfast_plugin& plugin, Services& services, Outlet& outlet);

    // `rounds` rounds of `samples` samples each, or fewer when the daemon has gone or asked for the end.
    void run(std::uint32_t rounds, std::uint32_t samples);

  private:
    frame::Round run_round(std::uint32_t samples);
    // Samples, and serves what the plugin watches, until it says no more.
    void use(void* instance, std::uint32_t samples, frame::Round& round);
    std::int32_t serve_watched(void* instance, frame::Round& round);
    template <typename Call>
    std::int32_t call(frame::Round& round, Call function);

    const holdfast_plugin& plugin_;
    Services& services_;
    Outlet& outlet_;
};

}  // namespace holdfast::host
