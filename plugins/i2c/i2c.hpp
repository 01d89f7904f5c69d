// The `i2c` input: one chip on an I2C bus, read once an interval.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <holdfast/plugin.hpp>

#include "bus.hpp"
#include "chip.hpp"

namespace i2c_input {

class I2c {
  public:
    // Throws EINVAL: the options are wrong; ENODEV: no such bus, or no such chip on it; and what Bus throws.
    explicit I2c(holdfast::plugin::Host host, device::Control control = device::control, Pause wait = pause);
    I2c(const I2c&) = delete;
    I2c& operator=(const I2c&) = delete;

    static void check(holdfast::plugin::Host host);
    void sample();

  private:
    holdfast::plugin::Host host_;
    device::Control control_;
    std::optional<Bus> bus_;
    std::unique_ptr<Chip> chip_;
    holdfast::plugin::Channel<std::int64_t> errors_;
    holdfast::plugin::Reading reading_;
};

}  // namespace i2c_input
