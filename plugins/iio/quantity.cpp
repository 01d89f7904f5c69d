#include "quantity.hpp"

#include <algorithm>
#include <iterator>

namespace iio_input {

namespace {

constexpr Quantity quantities[] = {
    {"voltage", "V", 1, 1e3},                 // mV
    {"altvoltage", "V", 1, 1e3},              // mV
    {"current", "A", 1, 1e3},                 // mA
    {"power", "W", 1, 1e3},                   // mW
    {"energy", "J", 1, 1},                    // J
    {"capacitance", "F", 1, 1e9},             // nF
    {"resistance", "Ohm", 1, 1},              // Ohm
    {"temp", "Cel", 1, 1e3},                  // thousandths of a degree
    {"humidityrelative", "%RH", 1, 1e3},      // thousandths of a percent
    {"pressure", "Pa", 1e3, 1},               // kPa
    {"illuminance", "lx", 1, 1},              // lux
    {"accel", "m/s2", 1, 1},                  // m/s^2
    {"gravity", "m/s2", 1, 1},                // m/s^2
    {"anglvel", "rad/s", 1, 1},               // rad/s
    {"deltaangl", "rad", 1, 1},               // rad
    {"deltavelocity", "m/s", 1, 1},           // m/s
    {"velocity", "m/s", 1, 1},                // m/s
    {"magn", "T", 1, 1e4},                    // Gauss
    {"angl", "rad", 1, 1},                    // rad
    {"phase", "rad", 1, 1},                   // rad
    {"incli", "deg", 1, 1},                   // degrees
    {"distance", "m", 1, 1},                  // m
    {"positionrelative", "%", 1, 1e3},        // thousandths of a percent
    {"concentration", "%", 1, 1},             // percent
    {"massconcentration", "ug/m3", 1, 1},     // ug/m^3
    {"electricalconductivity", "S/m", 1, 1},  // S/m
    {"cct", "K", 1, 1},                       // K
    {"ph", "pH", 1, 1},                       // negative logarithm
};

bool is_letter(char c) {
    return c >= 'a' && c <= 'z';
}

}  // namespace

std::string_view type_of(std::string_view channel) {
    const auto end = std::find_if_not(channel.begin(), channel.end(), is_letter);
    return channel.substr(0, static_cast<std::size_t>(end - channel.begin()));
}

Quantity quantity_of(std::string_view channel) {
    const std::string_view type = type_of(channel);
    // Turned by so many degrees from north; other rotations are quaternions.
    if (type == "rot" && channel.find("from_north") != std::string_view::npos) return {type, "deg", 1, 1};
    const auto found = std::find_if(std::begin(quantities), std::end(quantities),
                                    [&](const Quantity& q) { return q.type == type; });
    return found == std::end(quantities) ? Quantity{type, "", 1, 1} : *found;
}

}  // namespace iio_input
