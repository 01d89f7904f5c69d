// A group of values, as `collect` names it: one file of the kernel, or one kind of them, and what is read
// from it.
//
// A source that is not there (no pressure information, no thermal zone) puts nothing in, and that is no
// error. What an option names and cannot be had (processes that are hidden, a bus that does not answer) is
// its trouble().
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/sensors/patterns.hpp"
#include "shared/sensors/sensor_files.hpp"
#include "shared/sensors/text.hpp"
#include "shared/sensors/values.hpp"

namespace system_input {

using sensors::channel_word;
using sensors::Parts;
using sensors::SensorFiles;
using sensors::take_line;
using sensors::take_number;
using sensors::take_until;
using sensors::take_word;
using sensors::to_number;
using sensors::UniqueNames;
using sensors::Values;

class Source {
  public:
    virtual ~Source() = default;
    // Puts what it sees now into `values`; rates are over the `elapsed_s` seconds since the call before. The
    // first call, with elapsed_s 0, takes the base line: no rates.
    virtual void sample(SensorFiles& files, double elapsed_s, Values& values) = 0;
    // Why it had nothing in the sample before, where that is an error; empty when all is well.
    virtual std::string trouble() const { return {}; }
};

// What the options select within groups.
struct Selection {
    // Throws EINVAL when a list or a pattern is empty.
    explicit Selection(const holdfast::plugin::Host& host);

    sensors::Patterns interfaces;
    sensors::Patterns mounts;
    sensors::Patterns disks;
};

struct Group {
    std::string_view name;
    std::unique_ptr<Source> (*make)(const Selection& selection);
};

// All groups there are.
std::span<const Group> groups();

std::unique_ptr<Source> make_cpu(const Selection&);
std::unique_ptr<Source> make_cores(const Selection&);
std::unique_ptr<Source> make_memory(const Selection&);
std::unique_ptr<Source> make_load(const Selection&);
std::unique_ptr<Source> make_uptime(const Selection&);
std::unique_ptr<Source> make_disks(const Selection&);
std::unique_ptr<Source> make_diskio(const Selection&);
std::unique_ptr<Source> make_network(const Selection&);
std::unique_ptr<Source> make_temperature(const Selection&);
std::unique_ptr<Source> make_pressure(const Selection&);
std::unique_ptr<Source> make_wireless(const Selection&);
std::unique_ptr<Source> make_power(const Selection&);
std::unique_ptr<Source> make_throttling(const Selection&);

// Those that options of their own ask for. Throw EINVAL when one of the names can't be one.
std::unique_ptr<Source> make_processes(const std::vector<std::string>& names);
std::unique_ptr<Source> make_units(const std::vector<std::string>& names);

}  // namespace system_input
