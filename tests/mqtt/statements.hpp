// The client's MUSTs by their numbers: a test each, named after the statement in the version of MQTT it is
// of. What both versions ask for is one function, called by a test of each.
#pragma once

#include "mqtt/mqtt_test.hpp"

namespace holdfast::test {

class Statements : public MqttTest {
  protected:
    explicit Statements(MqttVersion version) : version_(version) {}
    AgentSettings settings(int count = 3, AgentSettings::Keys broker = {}) const {
        return {.version = version_, .broker = std::move(broker), .readings = count};
    }

    const MqttVersion version_;
};

// `Base` for one version, as a fixture that tests can be named after.
template <typename Base, MqttVersion version>
class For : public Base {
  protected:
    For() : Base(version) {}
};

}  // namespace holdfast::test
