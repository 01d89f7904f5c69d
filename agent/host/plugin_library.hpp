// Loads a plugin's shared object and checks that it is one for this host. The
// only place that includes <dlfcn.h>.
#pragma once

#include <string>

#include "base/result.hpp"
#include "holdfast/plugin.h"
#include "model/plugin_info.hpp"

namespace holdfast::host {

// The descriptor of the plugin at `path`; it stays loaded until the process
// ends, as nothing is gained by unloading it. Fails with config when the file
// is no plugin or one of another ABI, with retry when it could not be loaded.
Result<const holdfast_plugin*> load_plugin(const std::string& path);

// Whether it has a function that looks at options alone: ask before `check` is used, a plugin may be older.
bool can_check(const holdfast_plugin& plugin);

PluginInfo describe(const holdfast_plugin& plugin);

}  // namespace holdfast::host
