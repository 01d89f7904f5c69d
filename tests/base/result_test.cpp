#include "base/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace holdfast {
namespace {

Result<int> half(int number) {
    if (number % 2 != 0) return Error{Error::Kind::config, "odd"};
    return number / 2;
}

TEST(Result, HoldsAValueOrAnError) {
    EXPECT_EQ(*half(4), 2);
    ASSERT_FALSE(half(3));
    EXPECT_EQ(half(3).error().kind, Error::Kind::config);
    EXPECT_EQ(half(3).error().text, "odd");
}

TEST(Result, HoldsNothingOrAnError) {
    const auto check = [](int number) -> Result<void> {
        if (auto result = half(number); !result) return result.error();
        return {};
    };
    EXPECT_TRUE(check(2));
    EXPECT_EQ(check(1).error().text, "odd");
}

TEST(Result, MovesWhatCannotBeCopied) {
    Result<std::unique_ptr<int>> result(std::make_unique<int>(5));
    const std::unique_ptr<int> taken = std::move(*result);
    EXPECT_EQ(*taken, 5);
}

TEST(SystemError, SaysWhatTheNumberMeans) {
    const Error error = system_error(Error::Kind::gone, "opening /dev/ttyUSB0", ENOENT);
    EXPECT_EQ(error.text, "opening /dev/ttyUSB0: No such file or directory");
    EXPECT_EQ(error.code, ENOENT);
    EXPECT_EQ(error.kind, Error::Kind::gone);
    EXPECT_EQ(system_error(Error::Kind::bug, "x", 99'999).text, "x: unknown error");
}

}  // namespace
}  // namespace holdfast
