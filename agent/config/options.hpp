// An input's own options, held against what its plugin says it takes.
#pragma once

#include "config/node.hpp"
#include "config/report.hpp"
#include "model/plugin_info.hpp"

namespace holdfast::config {

// Where problems are shown: of the options that are there at their place, of those that are missing at the
// options' table, of the plugin's own defaults at its name.
struct OptionPlaces {
    Position options;
    Position plugin;
};

// All options of `plugin` in its order, with the given values or else the defaults, each of its type. Notes
// unknown, missing and wrong ones. `given` null: none are given.
Options read_options(const PluginInfo& plugin, const Table* given, OptionPlaces places, Report& report);

}  // namespace holdfast::config
