#include "system.hpp"

#include <algorithm>
#include <string>

namespace system_input {

namespace plugin = holdfast::plugin;

namespace {

// Processor time is counted in hundredths of a second: a shorter base line would say little.
constexpr std::int64_t shortest_base_line_us = 250'000;

constexpr Group all_groups[] = {
    {"cpu", make_cpu},
    {"cores", make_cores},
    {"memory", make_memory},
    {"load", make_load},
    {"disks", make_disks},
    {"diskio", make_diskio},
    {"network", make_network},
    {"temperature", make_temperature},
    {"uptime", make_uptime},
    {"pressure", make_pressure},
    {"wireless", make_wireless},
    {"power", make_power},
    {"throttling", make_throttling},
};

std::unique_ptr<Source> make_source(const std::string& group, const Selection& selection) {
    const auto found = std::find_if(std::begin(all_groups), std::end(all_groups),
                                    [&](const Group& known) { return known.name == group; });
    if (found != std::end(all_groups)) return found->make(selection);
    std::string known;
    for (const Group& each : all_groups)
        known += (known.empty() ? "" : ", ") + std::string(each.name);
    plugin::fail(EINVAL, "collect: there is no group '" + group + "', only " + known);
}

// What the options name. Throws EINVAL where they are wrong.
std::vector<std::unique_ptr<Source>> make_sources(const plugin::Host& host) {
    std::vector<std::unique_ptr<Source>> sources;
    const Selection selection(host);
    for (const std::string& group : host.list("collect"))
        sources.push_back(make_source(group, selection));
    if (const auto names = host.list("processes"); !names.empty()) sources.push_back(make_processes(names));
    if (const auto names = host.list("units"); !names.empty()) sources.push_back(make_units(names));
    if (sources.empty()) plugin::fail(EINVAL, "collect: names nothing to take");
    return sources;
}

}  // namespace

std::span<const Group> groups() {
    return all_groups;
}

Selection::Selection(const plugin::Host& host)
    : interfaces("interfaces", host.list("interfaces")),
      mounts("mounts", host.list("mounts")),
      disks("disks", host.list("disks")) {}

System::System(plugin::Host host, Clock clock)
    : host_(host),
      clock_(clock),
      files_(host.sensor_root()),
      values_(host),
      sources_(make_sources(host)),
      last_us_(clock()) {
    first_due_us_ = last_us_ + std::min(shortest_base_line_us, host.interval_us());
    values_.clear();
    for (const auto& source : sources_)
        source->sample(files_, 0, values_);
}

void System::check(plugin::Host host) {
    make_sources(host);
}

int System::sample() {
    const std::int64_t now_us = clock_();
    if (now_us < first_due_us_) {
        host_.sample_after(first_due_us_ - now_us);
        return -EAGAIN;
    }
    read_sources();
    tell_trouble();
    if (values_.reading().empty())
        plugin::fail(ENODATA, "none of what `collect` names is there below " + files_.name_of({"/proc"}) +
                                  " and " + files_.name_of({"/sys"}));
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

// Once, until it is mended or something else is wrong.
void System::tell_trouble() {
    std::string trouble;
    for (const auto& source : sources_)
        if (const std::string text = source->trouble(); !text.empty())
            trouble += (trouble.empty() ? "" : "; ") + text;
    if (!trouble.empty() && trouble != trouble_) host_.error(trouble);
    trouble_ = std::move(trouble);
}

}  // namespace system_input
