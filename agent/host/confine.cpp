#include "host/confine.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/children.hpp"
#include "base/sanitized.hpp"
#include "host/crash_place.hpp"
#include "model/frame.hpp"

namespace holdfast::host {

// The sixth field of /proc/self/statm: pages of data and stack, what
// RLIMIT_DATA bounds (proc(5)).
std::uint64_t data_pages() {
    const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    std::array<char, 128> buffer;
    const ssize_t size = ::read(file, buffer.data(), buffer.size());
    ::close(file);
    std::uint64_t value = 0;
    int spaces = 0;
    for (ssize_t i = 0; i < size; ++i) {
        const char c = buffer[static_cast<std::size_t>(i)];
        if (c == ' ')
            ++spaces;
        else if (spaces == 5 && c >= '0' && c <= '9')
            value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return value;
}

namespace {

// What signal handlers need; written before they are installed.
volatile sig_atomic_t asked = 0;
int asked_event = -1;
pid_t daemon_pid = 0;
std::uint64_t data_limit_pages = 0;
std::string memory_limit_frame;

// How long a call into the plugin may go on after SIGTERM. The daemon sends
// SIGKILL after half a second.
constexpr suseconds_t grace_us = 250'000;

[[noreturn]] void end_with_descendants() {
    end_descendants();
    ::_exit(0);
}

void on_terminate(int) {
    const int saved_errno = errno;
    if (::getppid() != daemon_pid) end_with_descendants();
    asked = 1;
    ::eventfd_write(asked_event, 1);
    const itimerval once{{0, 0}, {0, grace_us}};
    ::setitimer(ITIMER_REAL, &once, nullptr);
    errno = saved_errno;
}

void on_grace_over(int) {
    end_with_descendants();
}

void on_broken_pipe(int) {}

void tell(std::string_view frame) {
    ::send(socket_fd, frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// A plugin that doesn't check malloc crashes when it has eaten up its memory:
// the daemon is told, as the signal alone would send its author on a wrong
// track.
void on_crash(int signal, siginfo_t*, void* context) {
    if (data_limit_pages > 0 && data_pages() > data_limit_pages / 10 * 9) tell(memory_limit_frame);
    const CrashPlace place = find_crash(context);
    frame::CrashedBuffer buffer;
    if (place.size > 0) tell(frame::encode_crashed(place.view(), buffer));
    end_descendants();
    ::raise(signal);
}

void handle(int signal, void (*handler)(int), int flags) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    ::sigaction(signal, &action, nullptr);
}

void handle_crash(int signal) {
    struct sigaction action {};
    action.sa_sigaction = on_crash;
    action.sa_flags = static_cast<int>(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER);
    ::sigaction(signal, &action, nullptr);
}

void install_handlers() {
    // A stack overflow is a crash, too.
    static std::array<char, 32 * 1024> crash_stack;
    const stack_t stack{crash_stack.data(), 0, crash_stack.size()};
    ::sigaltstack(&stack, nullptr);
    for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL})
        handle_crash(signal);
    // A handler and not SIG_IGN: what the plugin executes begins with the default
    // action again.
    handle(SIGPIPE, on_broken_pipe, SA_RESTART);
    handle(SIGALRM, on_grace_over, SA_RESTART);
    handle(SIGTERM, on_terminate, SA_RESTART);
}

void limit_resources(std::uint64_t memory_limit) {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    const rlimit files{256, 256};
    ::setrlimit(RLIMIT_NOFILE, &files);
    if (sanitized || memory_limit == 0) return;
    // Only the soft limit: a plugin may lift it for a program that it starts.
    rlimit data{};
    ::getrlimit(RLIMIT_DATA, &data);
    data.rlim_cur = std::min<rlim_t>(memory_limit, data.rlim_max);
    ::setrlimit(RLIMIT_DATA, &data);
    data_limit_pages = memory_limit / static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    const std::string limit = std::to_string(memory_limit / 1024) + " KiB";
    memory_limit_frame = frame::encode(
        frame::FromHost(frame::Failed{ENOMEM, 1, "the plugin used up its memory limit of " + limit}));
}

void settle_descriptors() {
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, STDIN_FILENO);
    if (::fcntl(STDERR_FILENO, F_GETFD) < 0) ::dup2(null, STDERR_FILENO);
    // What a plugin prints must do no harm.
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    ::fcntl(socket_fd, F_SETFD, FD_CLOEXEC);
    ::close_range(socket_fd + 1, ~0U, 0);
    asked_event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

}  // namespace

bool confine(const Birth& birth) {
    daemon_pid = birth.daemon;
    ::setpgid(0, 0);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ::prctl(PR_SET_NAME, ("hf:" + birth.input).c_str(), 0, 0, 0);
    settle_descriptors();
    limit_resources(birth.memory_limit);
    install_handlers();
    std::atexit(end_descendants);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    // It may have ended before the kernel was asked to tell.
    return ::getppid() == birth.daemon;
}

bool termination_asked() {
    return asked != 0;
}

int termination_fd() {
    return asked_event;
}

}  // namespace holdfast::host
