// A group of values, as `collect` names it: one file of the kernel, or one kind of them, and what is read
// from it.
//
// A source that is not there (no pressure information, no thermal zone) puts nothing in, and that is no
// error.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "sensors/sensor_files.hpp"
#include "sensors/text.hpp"
#include "sensors/values.hpp"

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
};

struct Group {
    std::string_view name;
    std::unique_ptr<Source> (*make)();
};

// All groups there are.
std::span<const Group> groups();

std::unique_ptr<Source> make_cpu();
std::unique_ptr<Source> make_cores();
std::unique_ptr<Source> make_memory();
std::unique_ptr<Source> make_load();
std::unique_ptr<Source> make_uptime();
std::unique_ptr<Source> make_disks();
std::unique_ptr<Source> make_diskio();
std::unique_ptr<Source> make_network();
std::unique_ptr<Source> make_temperature();
std::unique_ptr<Source> make_pressure();

}  // namespace system_input
