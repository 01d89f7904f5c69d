// Does one bad thing, the one that option `deed` names. Its channels are n (counts), f (a number) and s (a
// string).
#include <errno.h>
#include <fcntl.h>
#include <holdfast/plugin.h>
#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>

namespace {

struct Rogue {
    const holdfast_host* host;
    std::string deed;
    std::string path;  // a file that the test looks at
    std::uint32_t n = 0, f = 0, s = 0;
    std::int64_t samples = 0;
};

std::uint32_t declare(const holdfast_host* host, const char* name, std::uint32_t type) {
    const holdfast_channel channel{sizeof channel, type, name, ""};
    return static_cast<std::uint32_t>(host->channel(host, &channel));
}

std::int32_t emit(Rogue& rogue, const holdfast_value* values, std::uint32_t count) {
    holdfast_reading reading{};
    reading.size = sizeof reading;
    reading.value_count = count;
    reading.values = values;
    return rogue.host->emit(rogue.host, &reading);
}

holdfast_value number(std::uint32_t channel, double value) {
    holdfast_value v{};
    v.channel = channel;
    v.type = HOLDFAST_F64;
    v.as.f64 = value;
    return v;
}

holdfast_value count(std::uint32_t channel, std::int64_t value) {
    holdfast_value v{};
    v.channel = channel;
    v.type = HOLDFAST_I64;
    v.as.i64 = value;
    return v;
}

std::int32_t emit_text(Rogue& rogue, const std::string& text) {
    holdfast_value v{};
    v.channel = rogue.s;
    v.type = HOLDFAST_STRING;
    v.as.string = {text.data(), text.size()};
    return emit(rogue, &v, 1);
}

std::int32_t emit_count(Rogue& rogue) {
    const holdfast_value v = count(rogue.n, rogue.samples++);
    return emit(rogue, &v, 1);
}

void append_line(const std::string& path, const std::string& line) {
    std::ofstream(path, std::ios::app) << line << '\n';
}

// Not inlined, as its name is looked for in what is said of the crash; one the kernel finds, not one sent
// or found by a sanitizer.
__attribute__((noinline, no_sanitize("undefined"), no_sanitize("address"))) void segfault() {
    volatile int* volatile nowhere = nullptr;
    *nowhere = 1;
}

// Until the stack is used up.
[[gnu::noinline]] int recurse(volatile int* depth) {
    volatile int deeper = *depth + 1;
    return deeper == 0 ? 0 : recurse(&deeper) + deeper;
}

[[gnu::noinline]] void leak() {
    for (;;) {
        auto* more = static_cast<volatile char*>(std::malloc(64 * 1024));
        for (std::size_t i = 0; i < 64 * 1024; i += 1024)
            more[i] = 1;
    }
}

// A child in a session of its own, with a child of its own: nothing but its descent connects it with the
// host.
void start_family(const std::string& path) {
    if (::fork() != 0) return;
    ::setsid();
    const pid_t grandchild = ::fork();
    if (grandchild == 0) append_line(path, std::to_string(::getpid()));
    if (grandchild > 0) append_line(path, std::to_string(::getpid()));
    for (;;)
        ::pause();
}

// As fast as they are taken, and never back to the host.
std::int32_t flood(Rogue& rogue) {
    for (;;)
        if (const std::int32_t code = emit_count(rogue); code != 0) return code;
}

// The type of n is another one each time.
std::int32_t change_type(Rogue& rogue) {
    const holdfast_channel n{sizeof n, rogue.samples % 2 == 0 ? HOLDFAST_F64 : HOLDFAST_STRING, "n", ""};
    return rogue.host->channel(rogue.host, &n);
}

// Ever more of them.
std::int32_t add_channels(Rogue& rogue) {
    for (int i = 0; i < 1000; ++i) {
        const std::string name = "more." + std::to_string(rogue.samples++);
        const holdfast_channel more{sizeof more, HOLDFAST_I64, name.c_str(), ""};
        if (const std::int32_t code = rogue.host->channel(rogue.host, &more); code < 0) return code;
    }
    return 0;
}

std::int32_t open(const holdfast_host* host, void** instance) {
    const std::string deed = host->option_string(host, "deed");
    const std::string path = host->option_string(host, "path");
    if (!path.empty()) append_line(path, "open");
    if (deed == "segfault_in_open") segfault();
    if (deed == "throw_in_open") throw std::runtime_error("no luck");
    if (deed == "refuse") {
        host->error(host, "option deed: must not be refuse");
        return -EINVAL;
    }
    if (deed == "absent") return -ENODEV;
    auto* rogue = new Rogue{host, deed, path};
    rogue->n = declare(host, "n", HOLDFAST_I64);
    rogue->f = declare(host, "f", HOLDFAST_F64);
    rogue->s = declare(host, "s", HOLDFAST_STRING);
    *instance = rogue;
    return 0;
}

std::int32_t check(const holdfast_host* host) {
    const std::string deed = host->option_string(host, "deed");
    if (deed == "segfault_in_check") segfault();
    if (deed == "throw_in_check") throw std::runtime_error("no luck");
    if (deed == "hang_in_check")
        for (;;)
            ::pause();
    if (deed == "absent_in_check") return -ENODEV;
    if (deed == "chatter_in_check") {
        host->log(host, HOLDFAST_LOG_INFO, "looks at its options");
        host->error(host, "is in no mood");
        declare(host, "n", HOLDFAST_I64);
    }
    if (deed == "refuse_in_check") {
        host->error(host, "path: is a word");
        host->error(host, "deed: must not be refuse_in_check");
        return -EINVAL;
    }
    return 0;
}

[[gnu::noinline]] std::int32_t sample_badly(Rogue& rogue) {
    const std::string& deed = rogue.deed;
    if (deed == "throw") throw std::runtime_error("out of luck");
    if (deed == "throw_int") throw 7;
    if (deed == "fail") return -EIO;
    if (deed == "exit") std::exit(3);
    if (deed == "exit_at_once") ::_exit(0);
    if (deed == "abort") std::abort();
    if (deed == "segfault") segfault();
    if (deed == "overflow_stack") {
        volatile int depth = 0;
        return recurse(&depth);
    }
    if (deed == "leak") leak();
    if (deed == "nan") {
        const holdfast_value v[] = {number(rogue.f, std::nan("")), count(rogue.n, 1)};
        return emit(rogue, v, 2);
    }
    if (deed == "not_utf8") return emit_text(rogue, "caf\xE9");
    if (deed == "huge") return emit_text(rogue, std::string(70 * 1024, 'x'));
    if (deed == "enormous") return emit_text(rogue, std::string(10 * 1024 * 1024, 'x'));
    if (deed == "change_type") return change_type(rogue);
    if (deed == "add_channels") return add_channels(rogue);
    if (deed == "flood") return flood(rogue);
    if (deed == "undeclared") {
        const holdfast_value v = count(99, 1);
        return emit(rogue, &v, 1);
    }
    if (deed == "twice") {
        const holdfast_value v[] = {count(rogue.n, 1), count(rogue.n, 2)};
        return emit(rogue, v, 2);
    }
    if (deed == "wrong_type") {
        const holdfast_value v = number(rogue.n, 1);
        return emit(rogue, &v, 1);
    }
    if (deed == "forge") {
        const char frame[] = "Znot a frame";
        return static_cast<std::int32_t>(::write(3, frame, sizeof frame)) < 0 ? -EIO : 0;
    }
    return 0;
}

std::int32_t sample(void* instance) {
    auto& rogue = *static_cast<Rogue*>(instance);
    const std::string& deed = rogue.deed;
    if (deed == "hang" && rogue.samples > 0) {
        if (!rogue.path.empty()) append_line(rogue.path, "hangs");
        for (;;)
            ::pause();
    }
    if (deed == "spin" && rogue.samples > 0)
        for (;;)
            __asm__ volatile("");
    if (deed == "print") {
        const char text[] = "noise on descriptor 1\n";
        return ::write(STDOUT_FILENO, text, sizeof text - 1) < 0 ? -errno : emit_count(rogue);
    }
    if (deed == "doze" && rogue.samples == 3) ::usleep(300'000);
    if (deed == "chatter")
        for (int i = 0; i < 1000; ++i)
            rogue.host->log(rogue.host, HOLDFAST_LOG_WARNING, "chatter");
    if (deed == "family" && rogue.samples == 0) start_family(rogue.path);
    if (deed == "lost" && rogue.samples % 2 == 1) {
        ++rogue.samples;
        return -ENODEV;
    }
    if (deed == "error_lines") {
        rogue.host->error(rogue.host, "line 1 is bad");
        rogue.host->error(rogue.host, "line 2 is bad");
    }
    if (const std::int32_t code = sample_badly(rogue); code != 0) return code;
    return emit_count(rogue);
}

void close(void* instance) {
    auto* rogue = static_cast<Rogue*>(instance);
    if (!rogue->path.empty()) append_line(rogue->path, "close");
    delete rogue;
}

}  // namespace

extern "C" HOLDFAST_EXPORT const holdfast_plugin* holdfast_plugin_entry() {
    static const holdfast_option options[] = {
        {sizeof(holdfast_option), HOLDFAST_OPTION_STRING, "deed", "", "what to do", nullptr},
        {sizeof(holdfast_option), HOLDFAST_OPTION_STRING, "path", "", "where to write what was done",
         nullptr},
    };
    static const holdfast_plugin plugin{.size = sizeof plugin,
                                        .abi = HOLDFAST_PLUGIN_ABI,
                                        .name = "rogue",
                                        .version = "1",
                                        .summary = "misbehaves, for tests",
                                        .options = options,
                                        .option_count = 2,
                                        .reserved = 0,
                                        .open = open,
                                        .sample = sample,
                                        .ready = nullptr,
                                        .close = close,
                                        .check = check};
    return &plugin;
}
