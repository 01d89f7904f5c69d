// What an IIO channel measures: its unit here, and the factor from the unit of the kernel's interface.
//
// Source: the kernel's Documentation/ABI/testing/sysfs-bus-iio, "Units after application of scale and
// offset".
#pragma once

#include <string_view>

namespace iio_input {

struct Quantity {
    std::string_view type;  // as in the names of files: "voltage", "humidityrelative"
    const char* unit;
    double multiply;  // a value in the kernel's unit times this, over `divide`, is in `unit`
    double divide;
};

// That of a channel such as "voltage0", "voltage0-voltage1" or "accel_x"; one without a unit when the type is
// not known, or has no standard unit (intensity, proximity).
Quantity quantity_of(std::string_view channel);

// The type that a channel's name begins with: its letters.
std::string_view type_of(std::string_view channel);

}  // namespace iio_input
