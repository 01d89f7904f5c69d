#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

UniqueFd open_null() {
    return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}
bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) != -1;
}

TEST(UniqueFd, ClosesAtTheEndOfItsLife) {
    int number = -1;
    {
        const UniqueFd fd = open_null();
        number = fd.get();
        EXPECT_TRUE(fd);
        EXPECT_TRUE(is_open(number));
    }
    EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, ClosesWhatItHeldWhenMovedInto) {
    UniqueFd one = open_null();
    UniqueFd other = open_null();
    const int lost = one.get();
    const int kept = other.get();
    one = std::move(other);
    EXPECT_FALSE(is_open(lost));
    EXPECT_EQ(one.get(), kept);
    EXPECT_TRUE(is_open(kept));
}

TEST(UniqueFd, LetsGoWithoutClosing) {
    UniqueFd fd = open_null();
    const UniqueFd again(fd.release());
    EXPECT_FALSE(fd);
    EXPECT_TRUE(is_open(again.get()));
}

}  // namespace
}  // namespace holdfast
