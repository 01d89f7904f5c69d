#include "host/exercise.hpp"

#include <malloc.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/children.hpp"
#include "host/confine.hpp"
#include "host/plugin_call.hpp"

namespace holdfast::host {
namespace {

std::uint32_t count_entries(const char* directory) {
    std::error_code failure;
    const std::filesystem::directory_iterator entries(directory, failure);
    return static_cast<std::uint32_t>(std::distance(begin(entries), end(entries)));
}

std::uint32_t count_children() {
    std::array<pid_t, 256> children;
    return static_cast<std::uint32_t>(list_children(children));
}

// What malloc has given out and not got back, large blocks (which it maps) included; mallinfo(3).
std::uint64_t heap_bytes() {
    const struct mallinfo2 info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
}

}  // namespace

Exercise::Exercise(const holdfast_plugin& plugin, Services& services, Outlet& outlet)
    : plugin_(plugin), services_(services), outlet_(outlet) {}

void Exercise::run(std::uint32_t rounds, std::uint32_t samples) {
    for (std::uint32_t i = 0; i < rounds && outlet_.connected() && !termination_asked(); ++i)
        outlet_.send(run_round(samples));
}

template <typename Call>
std::int32_t Exercise::call(frame::Round& round, Call function) {
    const CallResult result = call_fenced(function);
    const auto errors = services_.take_errors();
    const auto refusal = services_.take_refusal();
    if (refusal && round.refusal.empty()) round.refusal = refusal->why;
    if (result.code >= 0 || !round.said.empty()) return result.code;
    round.said = errors ? errors->text : result.text;
    round.threw = !result.text.empty();
    return result.code;
}

frame::Round Exercise::run_round(std::uint32_t samples) {
    frame::Round round;
    void* instance = nullptr;
    round.open_code = call(round, [&] { return plugin_.open(&services_.table(), &instance); });
    if (round.open_code >= 0) {
        use(instance, samples, round);
        round.threads = count_entries("/proc/self/task");
        call(round, [&] {
            plugin_.close(instance);
            return 0;
        });
    }
    services_.forget_instance();
    outlet_.flush();
    // The directory that is being read counts as well, in each round.
    round.descriptors = count_entries("/proc/self/fd");
    round.children = count_children();
    round.data_bytes = data_pages() * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    round.heap_bytes = heap_bytes();
    return round;
}

void Exercise::use(void* instance, std::uint32_t samples, frame::Round& round) {
    for (std::uint32_t i = 0; i < samples && round.sample_code != -ENODEV; ++i) {
        std::int32_t code = 0;
        if (plugin_.sample != nullptr) {
            ++round.samples;
            code = call(round, [&] { return plugin_.sample(instance); });
        }
        if (code == 0) code = serve_watched(instance, round);
        // -EAGAIN is an answer as good as any; another one is worth more to know.
        if (code != 0 && (round.sample_code == 0 || round.sample_code == -EAGAIN)) round.sample_code = code;
    }
}

std::int32_t Exercise::serve_watched(void* instance, frame::Round& round) {
    std::vector<pollfd> watched = services_.watched();
    if (watched.empty()) return 0;
    if (plugin_.ready == nullptr) {
        if (round.refusal.empty()) round.refusal = watches_in_vain;
        return 0;
    }
    ::poll(watched.data(), watched.size(), 0);
    for (const pollfd& each : watched) {
        if (each.revents == 0 || !services_.watches(each.fd)) continue;
        const auto events = static_cast<std::uint32_t>(each.revents);
        const std::int32_t code = call(round, [&] { return plugin_.ready(instance, each.fd, events); });
        if (code != 0) return code;
    }
    return 0;
}

}  // namespace holdfast::host
