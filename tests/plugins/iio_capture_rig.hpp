// The iio input in mode `buffer`: the devices' files are those of the fixtures, and a pipe stands for
// /dev/iio:deviceN. The clocks are the test's.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "board_files.hpp"
#include "iio/iio.hpp"
#include "plugin_files.hpp"
#include "readings.hpp"

namespace holdfast::test {

using Bytes = std::vector<std::uint8_t>;

constexpr std::int64_t second = 1'000'000'000;
// What the input under test takes for the time since boot, and how far the wall clock is ahead of it.
inline std::int64_t boot_ns = 0;
inline std::int64_t wall_ahead_ns = 0;

inline std::int64_t test_clock(clockid_t clock) {
    return clock == CLOCK_BOOTTIME ? boot_ns : boot_ns + wall_ahead_ns;
}

// The end of the pipe that the kernel has.
class DeviceFile {
  public:
    DeviceFile(const BoardFiles& board, const std::string& number) {
        const auto path = board / ("dev/" + number);
        std::filesystem::create_directories(path.parent_path());
        std::filesystem::remove(path);
        EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
        fd_ = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
        EXPECT_GE(fd_, 0);
        // So that a reader sees the end when this side goes: no reader of its own.
        const int writer = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
        ::close(fd_);
        fd_ = writer;
    }
    DeviceFile(const DeviceFile&) = delete;
    DeviceFile& operator=(const DeviceFile&) = delete;
    ~DeviceFile() { unplug(); }
    void write(const Bytes& bytes) const {
        ASSERT_EQ(::write(fd_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    }
    void unplug() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }

  private:
    int fd_;
};

inline TestHost::Options buffered(TestHost::Options more = {}) {
    more["mode"] = "buffer";
    return more;
}

class Rig {
  public:
    Rig(const BoardFiles& board, TestHost::Options options)
        : host_(shipped_plugin("iio"), std::move(options)) {
        boot_ns = 100 * second;
        wall_ahead_ns = 1000 * second;
        host_.sensor_root = board.path();
        iio_.emplace(plugin::Host(host_.table()), test_clock);
    }
    iio_input::Iio& iio() { return *iio_; }
    TestHost& host() { return host_; }
    void stop() { iio_.reset(); }
    // The errno that a sample ends with, and its text.
    std::pair<int, std::string> failure() {
        try {
            iio_->sample();
        } catch (const std::system_error& error) {
            return {error.code().value(), error.what()};
        }
        return {0, ""};
    }
    void take(int fd) { iio_->ready(fd, POLLIN); }
    void take() {
        ASSERT_EQ(host_.watched.size(), 1U);
        take(host_.watched.begin()->first);
    }

  private:
    TestHost host_;
    std::optional<iio_input::Iio> iio_;
};

inline std::string content(const BoardFiles& board, const std::string& name) {
    std::ifstream in(board / name);
    std::string line;
    std::getline(in, line);
    return line;
}

inline void put(Bytes& bytes, std::uint64_t number, int size) {
    for (int i = 0; i < size; ++i)
        bytes.push_back(static_cast<std::uint8_t>(number >> (8 * i)));
}

// Two channels of the Edison's converter: 16 bits each, and the time on a border of 64.
inline Bytes scan(std::uint16_t first, std::uint16_t second_value, std::int64_t time_ns) {
    Bytes bytes;
    put(bytes, first, 2);
    put(bytes, second_value, 2);
    put(bytes, 0xEEEEEEEE, 4);
    put(bytes, static_cast<std::uint64_t>(time_ns), 8);
    return bytes;
}

inline Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

inline const std::string edison = "sys/bus/iio/devices/iio:device1/";
inline const std::string trigger = "sys/bus/iio/devices/trigger0/";

inline TestHost::Options two_channels() {
    return buffered({{"channels", TestHost::list({"voltage0", "voltage1"})}, {"trigger", "tick"}});
}

}  // namespace holdfast::test
