// Event-driven: opens the FIFO that option `path` names and counts, as n, the lines that arrive. A line "bad"
// is a failure, "end" the end; it has no sample.
#include <errno.h>
#include <fcntl.h>
#include <holdfast/plugin.h>
#include <poll.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace {

struct Listener {
    const holdfast_host* host;
    int fifo;
    std::uint32_t channel;
    std::int64_t next = 0;
    std::string line;
};

std::int32_t open(const holdfast_host* host, void** instance) {
    const int fifo = ::open(host->option_string(host, "path"), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fifo < 0) return -errno;
    const holdfast_channel n{sizeof n, HOLDFAST_I64, "n", ""};
    auto* listener = new Listener{host, fifo, static_cast<std::uint32_t>(host->channel(host, &n)), 0, {}};
    *instance = listener;
    return host->watch(host, fifo, POLLIN);
}

std::int32_t take_line(Listener& listener) {
    const std::string line = std::move(listener.line);
    listener.line.clear();
    if (line == "bad") return -EPROTO;
    if (line == "end") {
        listener.host->finished(listener.host);
        return 0;
    }
    holdfast_value value{listener.channel, HOLDFAST_I64, {}};
    value.as.i64 = listener.next++;
    holdfast_reading reading{};
    reading.size = sizeof reading;
    reading.value_count = 1;
    reading.values = &value;
    return listener.host->emit(listener.host, &reading);
}

// One line a call: what is left makes the descriptor ready again.
std::int32_t ready(void* instance, std::int32_t fd, std::uint32_t) {
    auto& listener = *static_cast<Listener*>(instance);
    for (char c = 0; ::read(fd, &c, 1) == 1;) {
        if (c == '\n') return take_line(listener);
        listener.line += c;
    }
    return 0;
}

void close(void* instance) {
    auto* listener = static_cast<Listener*>(instance);
    ::close(listener->fifo);
    delete listener;
}

}  // namespace

extern "C" HOLDFAST_EXPORT const holdfast_plugin* holdfast_plugin_entry() {
    static const holdfast_option options[] = {
        {sizeof(holdfast_option), HOLDFAST_OPTION_STRING, "path", nullptr, "the FIFO", nullptr}};
    static const holdfast_plugin plugin{.size = sizeof plugin,
                                        .abi = HOLDFAST_PLUGIN_ABI,
                                        .name = "listener",
                                        .version = "1",
                                        .summary = "listens, for tests",
                                        .options = options,
                                        .option_count = 1,
                                        .reserved = 0,
                                        .open = open,
                                        .sample = nullptr,
                                        .ready = ready,
                                        .close = close,
                                        .check = nullptr};
    return &plugin;
}
