// Whether another client is connected under our client id: each would throw the other off again and again.
#pragma once

#include <filesystem>
#include <string>

#include "base/log.hpp"
#include "config/config.hpp"

namespace holdfast::cli {

struct NamesakeFinding {
    enum class Kind { none, perhaps, found } kind = Kind::none;
    std::string text;
};

// A running agent that has the id is asked, and not disturbed. Without one the id is used for a few seconds,
// to see whether somebody takes it back: without clean start, so that a session that is there stays.
NamesakeFinding look_for_namesake(const std::filesystem::path& control_socket, const BrokerConfig& config,
                                  const Server& server, Log& log);

}  // namespace holdfast::cli
