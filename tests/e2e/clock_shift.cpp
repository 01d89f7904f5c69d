// Preloaded into a process: its wall clock runs ahead of the machine's, or behind, by the seconds in the file
// that HOLDFAST_CLOCK_SHIFT names (eight bytes, as the processor holds them), which may change at any time.
//
// Every other clock stays as it is. Waits that are given until a wall time are shifted back.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace {

const volatile std::int64_t* map_shift() {
    static const std::int64_t none = 0;
    const char* file = std::getenv("HOLDFAST_CLOCK_SHIFT");
    const int fd = file ? ::open(file, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return &none;
    const void* shared = ::mmap(nullptr, sizeof none, PROT_READ, MAP_SHARED, fd, 0);
    ::close(fd);
    return shared == MAP_FAILED ? &none : static_cast<const std::int64_t*>(shared);
}

std::int64_t shift() {
    static const volatile std::int64_t* const seconds = map_shift();
    return *seconds;
}

template <typename Function>
Function next(const char* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

timespec on_the_machine(const timespec& shifted) {
    return {static_cast<time_t>(shifted.tv_sec - shift()), shifted.tv_nsec};
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) noexcept {
    const auto result = static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += static_cast<time_t>(shift());
    return result;
}

time_t time(time_t* where) noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    if (where != nullptr) *where = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(timeval* now, void*) noexcept {
    timespec precise{};
    const int result = clock_gettime(CLOCK_REALTIME, &precise);
    *now = {precise.tv_sec, precise.tv_nsec / 1000};
    return result;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
    static const auto real = next<decltype(&pthread_cond_timedwait)>("pthread_cond_timedwait");
    const timespec on_machine = on_the_machine(*until);
    return real(condition, mutex, &on_machine);
}

int sem_timedwait(sem_t* semaphore, const timespec* until) {
    static const auto real = next<decltype(&sem_timedwait)>("sem_timedwait");
    const timespec on_machine = on_the_machine(*until);
    return real(semaphore, &on_machine);
}

}  // extern "C"
