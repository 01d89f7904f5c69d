// Waiting for what another thread or process does, with an end.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace holdfast::test {

// Asks again and again; false when the limit has passed and it does not hold.
inline bool wait_until(const std::function<bool()>& holds,
                       std::chrono::seconds limit = std::chrono::seconds(30)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    for (; !holds(); std::this_thread::sleep_for(std::chrono::milliseconds(10)))
        if (std::chrono::steady_clock::now() > end) return false;
    return true;
}

}  // namespace holdfast::test
