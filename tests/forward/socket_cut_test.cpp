#include "forward/socket_cut.hpp"

#include <gtest/gtest.h>

#include "support/loopback.hpp"

namespace holdfast {
namespace {

class SocketCut : public ::testing::Test {
  protected:
    void SetUp() override { ::listen(listener_.get(), 4); }

    UniqueFd connect() const {
        UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const sockaddr_in address = test::loopback_address(port());
        EXPECT_EQ(::connect(fd.get(), test::as_sockaddr(address), sizeof address), 0);
        return fd;
    }
    std::uint16_t port() const { return test::port_of(listener_.get()); }
    static bool is_cut(const UniqueFd& fd) {
        char byte = 0;
        return ::recv(fd.get(), &byte, 1, MSG_DONTWAIT) == 0;
    }

    const UniqueFd listener_ = test::bind_loopback();
};

TEST_F(SocketCut, CutsTheNewConnectionAndNoOther) {
    const UniqueFd old = connect();
    const auto before = tcp_sockets();
    const UniqueFd fresh = connect();
    EXPECT_TRUE(cut_new_tcp_socket(before, port()));
    EXPECT_TRUE(is_cut(fresh));
    EXPECT_FALSE(is_cut(old));
}

TEST_F(SocketCut, TouchesNothingWhenItCannotTell) {
    const auto before = tcp_sockets();
    const UniqueFd one = connect();
    const UniqueFd two = connect();
    EXPECT_FALSE(cut_new_tcp_socket(before, port()));
    EXPECT_FALSE(is_cut(one));
    EXPECT_FALSE(is_cut(two));
}

TEST_F(SocketCut, LeavesConnectionsToOtherPortsAlone) {
    const auto before = tcp_sockets();
    const UniqueFd fresh = connect();
    EXPECT_FALSE(cut_new_tcp_socket(before, static_cast<std::uint16_t>(port() + 1)));
    EXPECT_FALSE(is_cut(fresh));
}

TEST_F(SocketCut, ServersSideOfAConnectionIsNotMistakenForIt) {
    const auto before = tcp_sockets();
    const UniqueFd fresh = connect();
    const UniqueFd accepted(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(cut_new_tcp_socket(before, port()));
    EXPECT_TRUE(is_cut(fresh));
}

}  // namespace
}  // namespace holdfast
