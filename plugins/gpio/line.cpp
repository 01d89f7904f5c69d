#include "line.hpp"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <holdfast/plugin.hpp>

namespace gpio_input {

using holdfast::plugin::fail;

namespace {

// The most that the kernel keeps for a request: 16 for each of the 64 lines that there may be in one
// (GPIO_V2_LINES_MAX * 16, drivers/gpio/gpiolib-cdev.c).
constexpr std::uint32_t kernel_buffer = GPIO_V2_LINES_MAX * 16;
constexpr std::size_t events_a_read = 256;

std::uint64_t flags_of(const LineSpec& spec) {
    std::uint64_t flags = GPIO_V2_LINE_FLAG_INPUT;
    if (spec.active_low) flags |= GPIO_V2_LINE_FLAG_ACTIVE_LOW;
    if (spec.bias == Bias::pull_up) flags |= GPIO_V2_LINE_FLAG_BIAS_PULL_UP;
    if (spec.bias == Bias::pull_down) flags |= GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN;
    if (spec.bias == Bias::none) flags |= GPIO_V2_LINE_FLAG_BIAS_DISABLED;
    const Mode mode = spec.mode.value_or(Mode::level);
    if (mode == Mode::level) return flags;
    const Edge edge = spec.edge.value_or(mode == Mode::counter ? Edge::rising : Edge::both);
    if (edge != Edge::falling) flags |= GPIO_V2_LINE_FLAG_EDGE_RISING;
    if (edge != Edge::rising) flags |= GPIO_V2_LINE_FLAG_EDGE_FALLING;
    return flags;
}

// No flag for an event clock: that is CLOCK_MONOTONIC (struct gpio_v2_line_event in linux/gpio.h).
gpio_v2_line_request request_for(const FoundLine& found, const LineSpec& spec) {
    gpio_v2_line_request request{};
    request.offsets[0] = found.offset;
    request.num_lines = 1;
    ::strncpy(request.consumer, "holdfast", sizeof request.consumer - 1);
    request.config.flags = flags_of(spec);
    if (spec.mode.value_or(Mode::level) != Mode::level) request.event_buffer_size = kernel_buffer;
    if (spec.debounce_us > 0) {
        request.config.num_attrs = 1;
        request.config.attrs[0].mask = 1;
        request.config.attrs[0].attr.id = GPIO_V2_LINE_ATTR_ID_DEBOUNCE;
        request.config.attrs[0].attr.debounce_period_us = static_cast<std::uint32_t>(spec.debounce_us);
    }
    return request;
}

[[noreturn]] void refuse(int code, const Chips& chips, const FoundLine& found, const LineSpec& spec) {
    const std::string line = chips.describe(found);
    if (code == EBUSY) {
        const std::string consumer = chips.consumer(found);
        fail(code, line + " is in use by " + (consumer.empty() ? "another program" : "'" + consumer + "'"));
    }
    // gpiod_to_irq() has none: ENXIO since 5.18, ENODEV before (drivers/gpio/gpiolib-cdev.c).
    const bool needs_interrupt = spec.mode.value_or(Mode::level) != Mode::level || spec.debounce_us > 0;
    if (needs_interrupt && (code == ENXIO || code == ENODEV))
        fail(ENXIO,
             line +
                 " raises no interrupts, which edges, counter and debounce need: only its level can be read");
    // To the agent EINVAL would say that it need not try again; it may be another chip's turn by then.
    if (code == EINVAL)
        fail(EOPNOTSUPP, "the chip of " + line + " refuses pull, debounce or edge as they are set");
    fail(code, line + " cannot be taken as an input");
}

}  // namespace

Line::Line(const Chips& chips, const FoundLine& found, const LineSpec& spec, const device::Control& control)
    : control_(control) {
    gpio_v2_line_request request = request_for(found, spec);
    const int result = control(chips.chip(found).fd.get(), GPIO_V2_GET_LINE_IOCTL, &request);
    if (result < 0) refuse(-result, chips, found, spec);
    fd_ = device::Fd(request.fd);
    if (::fcntl(fd_.get(), F_SETFL, O_NONBLOCK) < 0) fail(errno, chips.describe(found));
    if (request.event_buffer_size > 0) events_.resize(events_a_read);
}

bool Line::level() const {
    gpio_v2_line_values values{};
    values.mask = 1;
    if (const int result = control_(fd_.get(), GPIO_V2_LINE_GET_VALUES_IOCTL, &values); result < 0)
        fail(-result, "its level cannot be read");
    return (values.bits & 1) != 0;
}

void Line::take_edges(const TakeEdge& take) {
    for (std::size_t taken = 0; taken < kernel_buffer;) {
        const ssize_t bytes = ::read(fd_.get(), events_.data(), events_.size() * sizeof(gpio_v2_line_event));
        if (bytes < 0 && errno == EINTR) continue;
        if (bytes < 0 && errno == EAGAIN) return;
        if (bytes < 0) fail(errno, "its edges cannot be read");
        const std::size_t count = static_cast<std::size_t>(bytes) / sizeof(gpio_v2_line_event);
        if (count == 0) fail(ENODEV, "its chip is gone");
        for (std::size_t i = 0; i < count; ++i)
            take(events_[i]);
        if (count < events_.size()) return;
        taken += count;
    }
}

}  // namespace gpio_input
