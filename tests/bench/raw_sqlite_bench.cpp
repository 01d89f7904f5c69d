// bench_raw_sqlite DIRECTORY MILLISECONDS: prints how many rows per second SQLite alone commits there.
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "bench/raw_sqlite.hpp"

int main(int count, char** arguments) {
    if (count != 3) return 2;
    try {
        const std::chrono::milliseconds length(std::atoi(arguments[2]));
        std::printf("%.0f\n", holdfast::bench::measure_raw_sqlite(arguments[1], length).rows_per_second);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
