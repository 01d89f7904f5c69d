// Tells when a device may have come: the kernel reports one (a uevent), or a device node appears or changes
// its permissions (udev has granted it). The moment to try an input again whose device was missing.
//
// Owned by the daemon and called on its loop's thread. It does not say which device: whoever is told looks.
// Where a sandbox denies netlink or inotify it tells less, and inputs keep to their backoff.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

#include "base/event_loop.hpp"
#include "base/unique_fd.hpp"

namespace holdfast {

class DeviceWatch {
  public:
    // `nodes`: the directory of device nodes.
    DeviceWatch(EventLoop& loop, const std::filesystem::path& nodes, std::function<void()> appeared);

  private:
    void read_uevents();
    void read_nodes();

    std::function<void()> appeared_;
    UniqueFd uevents_;
    UniqueFd nodes_;
    EventLoop::SourcePtr uevents_source_;
    EventLoop::SourcePtr nodes_source_;
};

// Whether a uevent, as the kernel words it ("add@/devices/...", then KEY=VALUE, each ended by 0), brings a
// device or a driver for one.
bool brings_a_device(std::string_view uevent);

}  // namespace holdfast
