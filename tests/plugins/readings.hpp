// Readings as numbers, to be held against what is expected; true is 1.
#pragma once

#include <map>
#include <string>

#include "support/test_host.hpp"

namespace holdfast::test {

using Numbers = std::map<std::string, double>;

inline Numbers numbers(const TestHost::Emitted& reading) {
    Numbers numbers;
    for (const auto& [name, value] : reading.values) {
        if (const auto* number = std::get_if<double>(&value)) numbers[name] = *number;
        if (const auto* integer = std::get_if<std::int64_t>(&value))
            numbers[name] = static_cast<double>(*integer);
        if (const auto* flag = std::get_if<bool>(&value)) numbers[name] = *flag ? 1 : 0;
    }
    return numbers;
}

inline void expect_equal(const Numbers& seen, const Numbers& expected) {
    for (const auto& [name, value] : expected) {
        ASSERT_EQ(seen.count(name), 1U) << "no " << name;
        EXPECT_DOUBLE_EQ(seen.at(name), value) << name;
    }
    for (const auto& [name, value] : seen)
        EXPECT_EQ(expected.count(name), 1U) << "unexpected " << name << " = " << value;
}

inline std::map<std::string, std::string> units(const TestHost& host) {
    std::map<std::string, std::string> units;
    for (const TestHost::DeclaredChannel& channel : host.channels)
        units[channel.name] = channel.unit;
    return units;
}

}  // namespace holdfast::test
