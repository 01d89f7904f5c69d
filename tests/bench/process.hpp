// What the kernel says of this process.
#pragma once

#include <ctime>
#include <fstream>
#include <stdexcept>
#include <string>

namespace holdfast::bench {

inline double proc_figure(const char* file, const std::string& key) {
    std::ifstream in(file);
    std::string word;
    double value = 0;
    while (in >> word)
        if (word == key && in >> value) return value;
    throw std::runtime_error(std::string(file) + " does not tell " + key);
}

// By write calls, whether or not it has reached the disk.
inline double bytes_written() {
    return proc_figure("/proc/self/io", "wchar:");
}

// All threads.
inline double cpu_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Proportional set size, in MiB.
inline double pss_mib() {
    return proc_figure("/proc/self/smaps_rollup", "Pss:") / 1024;
}

}  // namespace holdfast::bench
