// The `gpio` input: levels and pulse counters once an interval, and edges when they happen.
//
// Each line is a request of its own to the kernel, with its own buffer of edges, so that a line that chatters
// makes no other lose any. Counters are not woken up for: the kernel numbers the edges of a line, so that the
// last one that it kept tells how many there were.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/plugin.hpp>

#include "line.hpp"
#include "line_spec.hpp"
#include "pulses.hpp"
#include "shared/device/control.hpp"

namespace gpio_input {

// Those of a level or of edges, or of a counter.
struct LineChannels {
    holdfast::plugin::Channel<bool> level;
    holdfast::plugin::Channel<std::int64_t> count;
    holdfast::plugin::Channel<double> total;
    holdfast::plugin::Channel<double> rate;
};

class Gpio {
  public:
    // Throws EINVAL: the options are wrong; ENODEV, EBUSY and others as Chips and Line say.
    explicit Gpio(holdfast::plugin::Host host, device::Control control = device::control,
                  holdfast::plugin::Clock clock = holdfast::plugin::clock_ns);
    Gpio(const Gpio&) = delete;
    Gpio& operator=(const Gpio&) = delete;
    ~Gpio();

    static int check(holdfast::plugin::Host host);
    int sample();
    void ready(int fd, std::uint32_t events);

  private:
    struct Input {
        std::string name;
        LineSpec spec;
        std::optional<Line> line;
        std::uint32_t last_seqno = 0;
        bool is_well = true;  // in this sample, so far
        std::optional<Pulses> pulses;
        LineChannels channels;
    };

    void take_lines();
    void take_edges(Input& input);
    void emit_edge(Input& input, const gpio_v2_line_event& event, std::int64_t ahead_ns);
    void put(Input& input);
    template <typename Call>
    bool attempt(const Input& input, Call call);

    holdfast::plugin::Host host_;
    device::Control control_;
    holdfast::plugin::Clock clock_;
    std::vector<std::unique_ptr<Input>> inputs_;
    holdfast::plugin::Reading reading_;
};

}  // namespace gpio_input
