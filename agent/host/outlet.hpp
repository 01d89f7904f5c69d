// What leaves a plugin host: readings, gathered into frames, and the frames
// about everything else.
//
// Sending blocks while the daemon does not read: that is the back-pressure.
// Once the daemon has gone, nothing is sent any more and connected() is false.
// Owned by the host's one thread.
#pragma once

#include <cstdint>

#include "base/clock.hpp"
#include "base/unique_fd.hpp"
#include "model/frame.hpp"
#include "model/reading_stream.hpp"

namespace holdfast::host {

class Outlet {
  public:
    explicit Outlet(UniqueFd socket);

    int fd() const { return socket_.get(); }
    bool connected() const { return connected_; }
    MonoTime last_sent() const { return last_sent_; }

    std::uint32_t define(const Channel& channel);
    // `most_bytes`: no less than the reading takes in a frame. `boot_us`: now.
    void append(const Reading& reading, std::size_t most_bytes, std::int64_t boot_us);
    // Sends the readings gathered so far, if there are any.
    void flush();
    // Likewise, but only when the first of them has waited for long.
    void flush_stale(std::int64_t boot_us);
    // The readings first: the order of what happened is kept.
    void send(const frame::FromHost& frame);
    // The daemon's one frame; blocks. Empty when it has gone.
    std::string receive();
    // Looks whether the daemon is still there; to be called when poll(2) says
    // something about fd().
    void check_connection();

  private:
    void begin_frame();
    void write(std::string_view bytes);

    UniqueFd socket_;
    bool connected_ = true;
    MonoTime last_sent_{};
    const std::string frame_head_ = std::string(1, static_cast<char>(frame::readings_tag));
    ReadingWriter writer_;
    std::int64_t oldest_us_ = 0;  // boot time of the first reading gathered; 0: none
};

}  // namespace holdfast::host
