// The [broker] section, and what the topics in it need of the rest.
#pragma once

#include "config/config.hpp"
#include "config/section.hpp"

namespace holdfast::config {

BrokerConfig read_broker(Section& section, const AgentConfig& agent);

// Every input's topic has to come out as a topic name of its own kind: all tags there, no wildcard from a
// value, not the status topic.
void check_topics(Section& section, const BrokerConfig& broker, const AgentConfig& agent,
                  const std::vector<InputConfig>& inputs);

}  // namespace holdfast::config
