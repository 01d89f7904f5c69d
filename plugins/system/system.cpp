#include "system.hpp"

#include <algorithm>
#include <string>

namespace system_input {

namespace plugin = holdfast::plugin;

namespace {

// Processor time is counted in hundredths of a second: a shorter base line would say little.
constexpr std::int64_t shortest_base_line_us = 250'000;

constexpr Group all_groups[] = {
    {"cpu", make_cpu},         {"cores", make_cores},
    {"memory", make_memory},   {"load", make_load},
    {"disks", make_disks},     {"diskio", make_diskio},
    {"network", make_network}, {"temperature", make_temperature},
    {"uptime", make_uptime},   {"pressure", make_pressure},
};

}  // namespace

std::span<const Group> groups() {
    return all_groups;
}

System::System(plugin::Host host, Clock clock)
    : host_(host), clock_(clock), files_(host.sensor_root()), values_(host), last_us_(clock()) {
    for (const std::string& group : host.list("collect"))
        add_source(group);
    if (sources_.empty()) plugin::fail(EINVAL, "collect: names nothing to take");
    first_due_us_ = last_us_ + std::min(shortest_base_line_us, host.interval_us());
    values_.clear();
    for (const auto& source : sources_)
        source->sample(files_, 0, values_);
}

void System::add_source(const std::string& group) {
    const auto found = std::find_if(std::begin(all_groups), std::end(all_groups),
                                    [&](const Group& known) { return known.name == group; });
    if (found != std::end(all_groups)) {
        sources_.push_back(found->make());
        return;
    }
    std::string known;
    for (const Group& each : all_groups)
        known += (known.empty() ? "" : ", ") + std::string(each.name);
    plugin::fail(EINVAL, "collect: there is no group '" + group + "', only " + known);
}

int System::sample() {
    const std::int64_t now_us = clock_();
    if (now_us < first_due_us_) {
        host_.sample_after(first_due_us_ - now_us);
        return -EAGAIN;
    }
    read_sources();
    if (values_.reading().empty())
        plugin::fail(ENODATA, "none of what `collect` names is there below " + files_.path({"/proc"}) +
                                  " and " + files_.path({"/sys"}));
    host_.emit(values_.reading());
    return 0;
}

void System::read_sources() {
    const std::int64_t now_us = clock_();
    const double elapsed_s = static_cast<double>(now_us - last_us_) / 1e6;
    last_us_ = now_us;
    values_.clear();
    for (const auto& source : sources_)
        source->sample(files_, elapsed_s, values_);
}

}  // namespace system_input
