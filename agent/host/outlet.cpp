#include "host/outlet.hpp"

#include <errno.h>
#include <sys/socket.h>

#include <string>

namespace holdfast::host {
namespace {

// A reading does not wait longer than this for company while the plugin is
// busy.
constexpr std::int64_t most_wait_us = 50'000;

// Room for a few full frames: enough to go on while the daemon is busy, little
// enough to be felt soon.
constexpr int send_buffer_bytes = 256 * 1024;

}  // namespace

Outlet::Outlet(UniqueFd socket) : socket_(std::move(socket)), last_sent_(std::chrono::steady_clock::now()) {
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof send_buffer_bytes);
    begin_frame();
}

void Outlet::begin_frame() {
    // start_with() keeps the storage: the next frame grows in the same memory.
    writer_.start_with(frame_head_);
    oldest_us_ = 0;
}

std::uint32_t Outlet::define(const Channel& channel) {
    const std::uint32_t index = writer_.define(channel);
    if (writer_.bytes().size() >= frame::flush_bytes) flush();
    return index;
}

void Outlet::append(const Reading& reading, std::size_t most_bytes, std::int64_t boot_us) {
    if (writer_.bytes().size() + most_bytes > frame::max_bytes) flush();
    writer_.append(reading);
    if (oldest_us_ == 0) oldest_us_ = boot_us;
    if (writer_.bytes().size() >= frame::flush_bytes) flush();
    flush_stale(boot_us);
}

void Outlet::flush_stale(std::int64_t boot_us) {
    if (oldest_us_ != 0 && boot_us - oldest_us_ >= most_wait_us) flush();
}

void Outlet::flush() {
    if (writer_.bytes().size() <= 1) return;
    write(writer_.bytes());
    begin_frame();
}

void Outlet::send(const frame::FromHost& frame) {
    flush();
    write(frame::encode(frame));
}

void Outlet::write(std::string_view bytes) {
    while (connected_ && ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0)
        if (errno != EINTR) connected_ = false;
    last_sent_ = std::chrono::steady_clock::now();
}

std::string Outlet::receive() {
    std::string bytes(frame::max_bytes, '\0');
    ssize_t size = -1;
    do
        size = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    while (size < 0 && errno == EINTR);
    if (size <= 0) connected_ = false;
    bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    bytes.shrink_to_fit();
    return bytes;
}

void Outlet::check_connection() {
    // The daemon says nothing more: what comes is its end.
    char byte = 0;
    const ssize_t size = ::recv(socket_.get(), &byte, sizeof byte, MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) connected_ = false;
}

}  // namespace holdfast::host
