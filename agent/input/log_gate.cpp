#include "input/log_gate.hpp"

#include <utility>

namespace holdfast {

void LogGate::turn(MonoTime now) {
    if (now < minute_end_) return;
    minute_end_ = now + std::chrono::minutes(1);
    over_ += std::exchange(held_back_, 0);
    passed_ = 0;
}

bool LogGate::pass(MonoTime now) {
    turn(now);
    if (passed_ < lines_a_minute) {
        ++passed_;
        return true;
    }
    ++held_back_;
    return false;
}

std::uint64_t LogGate::take_held_back(MonoTime now) {
    turn(now);
    return std::exchange(over_, 0);
}

}  // namespace holdfast
