// Counters that only grow, of devices that come and go: what they counted since the sample before.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace system_input {

template <std::size_t count>
using Counters = std::array<std::uint64_t, count>;

template <std::size_t count>
class CounterHistory {
  public:
    // The growth of each counter since the sample before; none for a device that is new, or whose counters
    // went backwards (replaced or restarted): its base line is taken anew. Only the counter `may_fall` may
    // fall meanwhile, which is no growth.
    std::optional<Counters<count>> growth(std::string_view device, const Counters<count>& now,
                                          std::size_t may_fall = count) {
        const auto found =
            std::find_if(devices_.begin(), devices_.end(), [&](const Device& d) { return d.name == device; });
        if (found == devices_.end()) {
            devices_.push_back({std::string(device), now, true});
            return std::nullopt;
        }
        const Counters<count> before = found->counters;
        found->counters = now;
        found->seen = true;
        Counters<count> growth;
        for (std::size_t i = 0; i < count; ++i) {
            if (now[i] < before[i] && i != may_fall) return std::nullopt;
            growth[i] = now[i] - std::min(before[i], now[i]);
        }
        return growth;
    }

    // Ends a sample: devices that did not come up in it are forgotten.
    void end_sample() {
        std::erase_if(devices_, [](const Device& d) { return !d.seen; });
        for (Device& device : devices_)
            device.seen = false;
    }

  private:
    struct Device {
        std::string name;
        Counters<count> counters;
        bool seen;
    };
    std::vector<Device> devices_;
};

}  // namespace system_input
