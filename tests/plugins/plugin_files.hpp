// The shipped plugins, loaded once each.
#pragma once

#include <string>

#include "support/test_host.hpp"

namespace holdfast::test {

inline const holdfast_plugin& shipped_plugin(const std::string& name) {
    return PluginFile(std::string(HOLDFAST_PLUGINS) + "/" + name + ".so").descriptor();
}

}  // namespace holdfast::test
