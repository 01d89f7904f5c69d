// The kernel's side of GPIO character devices, as far as inputs need it, in place of ioctl(2).
//
// A chip is a file dev/gpiochipN below a directory: its label, then a line each with the name of a GPIO line
// and, after a tab, who has it. A line that is taken is a pipe, into which the test writes edges; like the
// kernel it numbers them, keeps at most 1024, and drops the oldest.
#pragma once

#include <fcntl.h>
#include <linux/gpio.h>
#include <string.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "shared/device/control.hpp"
#include "shared/device/fd.hpp"

namespace holdfast::test {

class FakeGpio {
  public:
    struct Line {
        std::string name;
        std::string consumer;
        bool level = false;
        bool has_interrupt = true;
        int level_error = 0;  // an errno that its level can't be read for
        std::uint32_t seqno = 0;
        gpio_v2_line_request request{};
        device::Fd edges;  // the end that edges are written to
        int fd = -1;       // the end that the input has
    };

    device::Control control() {
        return [this](int fd, unsigned long request, void* argument) { return call(fd, request, argument); };
    }
    Line& line(const std::string& chip, std::uint32_t offset) { return chips_.at(chip).lines.at(offset); }
    void load(const std::filesystem::path& node) { chip_of(node); }

    // Edges that come one `step_ns` apart, the first at `first_ns`, while nobody reads.
    static void burst(Line& line, std::uint32_t count, std::uint64_t first_ns, std::uint64_t step_ns) {
        const std::uint32_t kept = std::min(count, line.request.event_buffer_size);
        const std::uint64_t flags = line.request.config.flags;
        line.seqno += count - kept;
        for (std::uint32_t i = count - kept; i < count; ++i) {
            gpio_v2_line_event event{};
            event.timestamp_ns = first_ns + i * step_ns;
            event.line_seqno = event.seqno = ++line.seqno;
            event.offset = line.request.offsets[0];
            if ((flags & GPIO_V2_LINE_FLAG_EDGE_FALLING) == 0)
                line.level = true;
            else
                line.level = (flags & GPIO_V2_LINE_FLAG_EDGE_RISING) != 0 && !line.level;
            event.id = line.level ? GPIO_V2_LINE_EVENT_RISING_EDGE : GPIO_V2_LINE_EVENT_FALLING_EDGE;
            if (::write(line.edges.get(), &event, sizeof event) != sizeof event)
                throw std::runtime_error("the pipe of edges is full");
        }
    }
    // The chips are taken away: their lines hang up, and every call says so.
    void unplug() {
        gone_ = true;
        for (auto& [name, chip] : chips_)
            for (Line& line : chip.lines)
                line.edges = device::Fd();
    }
    bool knows_version_2 = true;

  private:
    struct Chip {
        std::string label;
        std::vector<Line> lines;
    };

    Chip& chip_of(const std::filesystem::path& node) {
        Chip& chip = chips_[node.filename()];
        if (!chip.lines.empty()) return chip;
        std::ifstream file(node);
        std::getline(file, chip.label);
        for (std::string text; std::getline(file, text);) {
            Line line;
            const std::size_t tab = text.find('\t');
            line.name = text.substr(0, tab);
            if (tab != std::string::npos) line.consumer = text.substr(tab + 1);
            chip.lines.push_back(std::move(line));
        }
        return chip;
    }

    int call(int fd, unsigned long request, void* argument) {
        if (gone_) return -ENODEV;
        if (request == GPIO_V2_LINE_GET_VALUES_IOCTL)
            return get_values(fd, *static_cast<gpio_v2_line_values*>(argument));
        const auto node = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd));
        Chip& chip = chip_of(node);
        if (chip.lines.empty()) return -ENOTTY;
        if (request == GPIO_GET_CHIPINFO_IOCTL) {
            auto& info = *static_cast<gpiochip_info*>(argument);
            copy(node.filename(), info.name);
            copy(chip.label, info.label);
            info.lines = static_cast<std::uint32_t>(chip.lines.size());
            return 0;
        }
        if (!knows_version_2) return -EINVAL;
        if (request == GPIO_V2_GET_LINEINFO_IOCTL)
            return get_info(chip, *static_cast<gpio_v2_line_info*>(argument));
        if (request == GPIO_V2_GET_LINE_IOCTL)
            return get_line(chip, *static_cast<gpio_v2_line_request*>(argument));
        return -EINVAL;
    }

    static int get_info(const Chip& chip, gpio_v2_line_info& info) {
        if (info.offset >= chip.lines.size()) return -EINVAL;
        const Line& line = chip.lines[info.offset];
        copy(line.name, info.name);
        copy(line.consumer, info.consumer);
        if (!line.consumer.empty()) info.flags = GPIO_V2_LINE_FLAG_USED;
        return 0;
    }

    // Refuses what linereq_create() of the kernel refuses.
    static int get_line(Chip& chip, gpio_v2_line_request& request) {
        if (request.num_lines != 1 || request.offsets[0] >= chip.lines.size()) return -EINVAL;
        Line& line = chip.lines[request.offsets[0]];
        const std::uint64_t flags = request.config.flags;
        if ((flags & GPIO_V2_LINE_FLAG_INPUT) == 0) return -EINVAL;
        for (const std::uint32_t padding : request.padding)
            if (padding != 0) return -EINVAL;
        if (!line.consumer.empty()) return -EBUSY;
        const bool edges = (flags & (GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING)) != 0;
        if ((edges || request.config.num_attrs > 0) && !line.has_interrupt) return -ENXIO;
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) return -errno;
        line.edges = device::Fd(ends[1]);
        line.seqno = 0;
        line.request = request;
        line.fd = request.fd = ends[0];
        return 0;
    }

    int get_values(int fd, gpio_v2_line_values& values) {
        for (auto& [name, chip] : chips_)
            for (Line& line : chip.lines)
                if (line.fd == fd && values.mask == 1) {
                    if (line.level_error != 0) return -line.level_error;
                    const bool low = (line.request.config.flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW) != 0;
                    values.bits = line.level != low ? 1 : 0;
                    return 0;
                }
        return -EINVAL;
    }

    template <std::size_t size>
    static void copy(const std::string& text, char (&array)[size]) {
        ::strncpy(array, text.c_str(), size);
    }

    std::map<std::string, Chip> chips_;
    bool gone_ = false;
};

}  // namespace holdfast::test
