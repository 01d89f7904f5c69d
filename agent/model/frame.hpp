// Frames: what the daemon and a plugin host say to each other, one frame a message of their SOCK_SEQPACKET
// pair.
//
// The host is not trusted: decode_* checks everything and fails with Error::Kind::corrupt.
//
// During an upgrade, and as long as that meets a wrong configuration, a daemon starts hosts of the next version: frames
// are added and not changed, and the seeds of tests/fuzz/corpus/frame stay frames.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/log.hpp"
#include "base/result.hpp"
#include "model/plugin_info.hpp"

namespace holdfast::frame {

// No frame is larger; a host flushes its readings long before.
inline constexpr std::size_t max_bytes = 128 * 1024;
// A reading that would be larger than this is refused by emit (-EMSGSIZE).
inline constexpr std::size_t max_reading_bytes = 96 * 1024;
// A host sends what it has gathered when it is this much, at the end of a call into the plugin, and before it
// blocks or waits.
inline constexpr std::size_t flush_bytes = 32 * 1024;
// A host that has nothing to say sends a Beat at least this often while it is not inside the plugin.
inline constexpr std::int64_t beat_us = 2'000'000;

// --- daemon to host: exactly one, first
struct Describe {
    std::string plugin_path;
};
struct Configure {
    std::string plugin_path;
    std::string sensor_root;
    std::int64_t interval_us = 0;
    Options options;
    bool trial = false;  // nothing that the plugin does may last
};
// For the contract tests of plugins: the host opens, samples and closes the plugin `rounds` times, tells of
// each with a Round, and exits.
struct Exercise {
    Configure configuration;
    std::uint32_t rounds = 1;
    std::uint32_t samples = 1;  // a round
};
// Are the options sound, as far as the plugin can tell without its device? The host answers Opened, or a
// Failed for each mistake and OpenFailed, and exits.
struct Check {
    Configure configuration;
};
using ToHost = std::variant<Describe, Configure, Exercise, Check>;

// --- host to daemon
// Answer to Describe; the host then exits.
struct Description {
    PluginInfo plugin;
};
// The plugin is open; the first sample follows. Or: its options are sound.
struct Opened {};
// Records of the host's one stream of readings (reading_stream.hpp), which runs on from frame to frame. Times
// are on the boot clock. The view points into the decoded frame.
struct Readings {
    std::string_view segment;
};
// `count` samples or lines failed since the last such frame; the text is the last one's. The plugin goes on.
struct Failed {
    std::int32_t code = 0;  // errno, positive; 0 when the plugin gave none
    std::uint32_t count = 1;
    std::string text;
};
// `count` samples, at least one, fell out since the last such frame: the one
// before took too long, or the daemon did not take what it emitted.
struct Missed {
    std::uint32_t count = 1;
};
// The plugin's device went away, as the Failed before it says, and the plugin is closed; the host exits after
// it.
struct Gone {};
// open, or check, failed; the host exits after it. `final` when the options are wrong or the file is no
// plugin of this ABI.
struct OpenFailed {
    std::int32_t code = 0;
    bool final = false;
    std::string text;
};
struct LogLine {
    LogLevel level = LogLevel::info;
    std::string text;
};
// A sample went well after a failure, or nothing was said for a while: the host lives and is not inside the
// plugin.
struct Beat {};
// The plugin restarted its stream command or connection.
struct Restarted {
    std::string reason;
};
// The host is about to die of a signal; where in the plugin it happened: "Probe::sample (probe.so+0x1a2b)".
struct Crashed {
    std::string place;
};
// A round of an Exercise is over: what the plugin answered, and what the host has after its close.
struct Round {
    std::int32_t open_code = 0;    // as the plugin returned it
    std::int32_t sample_code = 0;  // of sample or ready; the first that was neither 0 nor -EAGAIN, if any
    std::uint32_t samples = 0;
    std::uint32_t threads = 0;  // while it was open
    std::uint32_t descriptors = 0;
    std::uint32_t children = 0;
    std::uint64_t heap_bytes = 0;  // given out by malloc
    std::uint64_t data_bytes = 0;  // what the memory limit bounds
    bool threw = false;
    std::string said;     // of its first failure; may be empty
    std::string refusal;  // why a channel or reading was refused; else empty
};
// The plugin has nothing more to say; the host exits with 0 after it.
struct Finished {};
using FromHost = std::variant<Description, Opened, Readings, Failed, Missed, Gone, OpenFailed, LogLine, Beat,
                              Restarted, Crashed, Round, Finished>;

std::string encode(const ToHost& frame);
std::string encode(const FromHost& frame);
Result<ToHost> decode_to_host(std::string_view bytes);
Result<FromHost> decode_from_host(std::string_view bytes);

// The first byte of a Readings frame, so that a host can build one in place: put_byte(readings_tag), then the
// segment.
inline constexpr std::uint8_t readings_tag = 'R';

// A Crashed frame made in place, for a signal handler: nothing is allocated. `place` is cut to 256 bytes.
using CrashedBuffer = std::array<char, 260>;
std::string_view encode_crashed(std::string_view place, CrashedBuffer& buffer);

}  // namespace holdfast::frame
