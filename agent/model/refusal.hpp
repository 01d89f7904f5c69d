// What is said of a message that can't be delivered as it is: the broker refused it for good, or it is larger
// than the broker takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace holdfast {

struct Refusal {
    std::uint64_t seq = 0;     // of the batch
    int code = 0;              // the broker's reason code; 0: the agent could not make a message of it
    std::string text;          // why, for a person; valid UTF-8
    std::uint32_t times = 1;   // it was refused, until it was given up
    std::int64_t wall_us = 0;  // when it was set aside; the buffer fills it in
};

// Never sent: it is to be replaced by smaller batches.
struct Oversize {
    std::uint64_t seq = 0;
    std::size_t room = 0;  // for the readings of one message, in the bytes of model/message_size.hpp
};

}  // namespace holdfast
