// The agent's version: debian/changelog is where it is written, the build passes it in.
#pragma once

#include <string_view>

namespace holdfast {

inline constexpr std::string_view version = HOLDFAST_VERSION;

}  // namespace holdfast
