// One line that was asked for: its level, and the edges that the kernel has kept of it.
#pragma once

#include <linux/gpio.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "chips.hpp"

namespace gpio_input {

class Line {
  public:
    // Takes the line from the kernel. Throws std::system_error: EBUSY (with who has it), EACCES, ENODEV, ...
    Line(const Chips& chips, const FoundLine& found, const LineSpec& spec, const device::Control& control);

    int fd() const { return fd_.get(); }

    // The logical level, debounced if debouncing was asked for. Throws ENODEV: the chip is gone.
    bool level() const;

    // The edges that the kernel holds, oldest first, at most as many as its buffer has room for. An edge's
    // number in `line_seqno` counts those that were lost, too. Throws ENODEV: the chip is gone.
    using TakeEdge = std::function<void(const gpio_v2_line_event&)>;
    void take_edges(const TakeEdge& take);

  private:
    device::Fd fd_;
    const device::Control& control_;
    std::vector<gpio_v2_line_event> events_;
};

}  // namespace gpio_input
