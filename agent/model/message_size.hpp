// Upper bounds of what readings take in the JSON message that is made of them (forward/payload.hpp), so that
// a batch can be closed before its message grows too large.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "model/reading.hpp"

namespace holdfast::message_size {

// A reading without its values.
std::size_t of_reading(std::span<const TagView> tags);
// A reading with them; the channels are those of its stream.
std::size_t of_reading(const Reading& reading, const std::vector<Channel>& channels);
// One value of a reading, with the name of its channel.
std::size_t of_value(std::string_view name, const Value& value);

}  // namespace holdfast::message_size
