// Finds the line that a spec means among the GPIO chips that there are.
//
// It speaks the kernel's character device interface, version 2 (linux/gpio.h, kernel 5.10 and later;
// Documentation/userspace-api/gpio/chardev.rst).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "line_spec.hpp"
#include "shared/device/control.hpp"
#include "shared/device/fd.hpp"

namespace gpio_input {

struct FoundLine {
    std::size_t chip = 0;  // among chips()
    std::uint32_t offset = 0;
    std::string name;  // as the kernel has it; may be empty
};

class Chips {
  public:
    struct Chip {
        device::Fd fd;
        std::string name;   // gpiochip0
        std::string label;  // pinctrl-bcm2711
        std::uint32_t line_count = 0;
    };

    // `root` stands before /dev. Opens each chip there; no chip is no error.
    Chips(const std::string& root, const device::Control& control);

    // Throws std::system_error: ENODEV (no such chip or line now), ENOTUNIQ (several), EACCES (chips that may
    // not be opened), each with a text that says so.
    FoundLine find(const LineSpec& spec);

    const Chip& chip(const FoundLine& line) const { return chips_[line.chip]; }
    // "gpiochip0:17 (GPIO17)"
    std::string describe(const FoundLine& line) const;
    // Who has the line; empty when nobody has.
    std::string consumer(const FoundLine& line) const;

  private:
    void open(const std::string& path);
    std::vector<std::size_t> chips_named(const std::string& name);
    [[noreturn]] void refuse_chip(const std::string& name) const;
    FoundLine find_by_offset(const LineSpec& spec, std::size_t chip) const;
    FoundLine find_by_name(const LineSpec& spec, const std::vector<std::size_t>& chips) const;

    std::string root_;
    const device::Control& control_;
    std::vector<Chip> chips_;
    std::string not_opened_;  // the last one of those, and why
};

}  // namespace gpio_input
