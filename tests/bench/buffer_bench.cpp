// The buffer by itself, with real files: intake, drain, bytes, memory and start, at a growing backlog.
//
// bench_buffer [DIRECTORY]: works in a directory below that one (default: that of temporary files), on whose
// disk SQLite alone is measured as well. Exits with 1 when a figure misses its limit.
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <numbers>
#include <stdexcept>
#include <vector>

#include "bench/figures.hpp"
#include "bench/process.hpp"
#include "bench/raw_sqlite.hpp"
#include "buffer/buffer.hpp"
#include "support/fake_clock.hpp"
#include "support/make_batch.hpp"
#include "support/recording_log.hpp"
#include "support/temp_dir.hpp"

namespace holdfast::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t readings_a_batch = 100;
constexpr double limit_written = 30;  // bytes per reading
constexpr double limit_file = 14;
constexpr double limit_of_start = 1;  // seconds
constexpr double enough_intake = 400'000;
constexpr double least_of_raw = 0.4;
constexpr double flat = 1.2;
constexpr std::uint64_t sample = 1'000'000;  // readings taken in and drained to measure; several checkpoints

// As the simulator input makes them: a sine of 60 readings, a counter, the id of the run.
Batch simulated_batch(std::int64_t apart_us) {
    test::BatchMaker maker("sim");
    const auto value = maker.channel("value", ValueType::f64);
    const auto number = maker.channel("n", ValueType::i64);
    const auto run = maker.channel("run", ValueType::string);
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(readings_a_batch); ++i)
        maker.add(3'600'000'000 + apart_us * i,
                  {Value::of(value, std::sin(2 * std::numbers::pi * static_cast<double>(i % 60) / 60)),
                   Value::of(number, 5'000'000 + i), Value::of(run, std::string_view("0123456789abcdef"))});
    return maker.batch(0);
}

double seconds_since(MonoTime began) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

class Bench {
  public:
    explicit Bench(std::int64_t apart_us = 0) : batch_(simulated_batch(apart_us)) { open(); }

    void open() {
        auto opened = Buffer::open(directory_.path(), {}, clock_, log_);
        if (!opened) throw std::runtime_error(opened.error().text);
        buffer_ = std::move(*opened);
    }
    void close() {
        if (auto closed = buffer_->close(); !closed) throw std::runtime_error(closed.error().text);
        buffer_.reset();
    }

    // Takes in that many with the link down; returns readings per second, the last commit included.
    double take_in(std::uint64_t readings) {
        const auto began = std::chrono::steady_clock::now();
        for (std::uint64_t done = 0; done < readings; done += readings_a_batch) {
            Batch batch = batch_;
            batch.header.arrived = clock_.now();
            buffer_->append(std::move(batch));
            (void)buffer_->step();
        }
        settle();
        return static_cast<double>(readings) / seconds_since(began);
    }
    // Sends that many to a broker that acknowledges at once, a window of 20; readings per second.
    double drain(std::uint64_t readings) {
        constexpr std::size_t window = 20;
        const auto began = std::chrono::steady_clock::now();
        std::vector<std::uint64_t> lent;
        for (std::uint64_t done = 0; done < readings;) {
            while (lent.size() < window) {
                const auto batch = buffer_->peek();
                if (!batch) break;
                lent.push_back(batch->header.seq);
            }
            if (lent.empty()) break;
            for (const std::uint64_t seq : lent)
                buffer_->ack(seq);
            done += lent.size() * readings_a_batch;
            lent.clear();
            (void)buffer_->step();
        }
        return static_cast<double>(readings) / seconds_since(began);
    }
    // From nothing to the first batch that may be sent; seconds.
    double start() {
        const auto began = std::chrono::steady_clock::now();
        open();
        buffer_->set_link(true);
        const auto first = buffer_->peek();
        const double took = seconds_since(began);
        if (!first) throw std::runtime_error("nothing to send after the start");
        buffer_->give_back(first->header.seq);
        return took;
    }
    // Everything that is due within some seconds gets done.
    void settle() {
        for (int turn = 0; turn < 5; ++turn) {
            clock_.advance(1s);
            for (auto due = buffer_->step(); due && *due <= clock_.now(); due = buffer_->step()) {
            }
        }
    }
    void link(bool up) { buffer_->set_link(up); }

    BufferStatus status() const { return buffer_->status(); }
    double written() const { return static_cast<double>(status().written_bytes); }
    const std::filesystem::path& directory() const { return directory_.path(); }

  private:
    const test::TempDir directory_;
    test::FakeClock clock_;
    test::RecordingLog log_;
    const Batch batch_;
    std::unique_ptr<Buffer> buffer_;
};

std::string at(const char* what, std::uint64_t backlog) {
    const std::string size = backlog >= 1'000'000 ? std::to_string(backlog / 1'000'000) + " M"
                                                  : std::to_string(backlog / 1'000) + " k";
    return std::string(what) + ", backlog of " + size;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

struct Speed {
    double intake, drain;  // readings/s
    double intake_cpu;     // us of processor time per reading
    double written_by_drain;
};

// Takes in and drains again, a few times.
Speed measure_speed(Bench& bench) {
    std::vector<double> intake, cpu, drain, written;
    for (int turn = 0; turn < 5; ++turn) {
        const double cpu_before = cpu_seconds();
        intake.push_back(bench.take_in(sample));
        cpu.push_back(1e6 * (cpu_seconds() - cpu_before) / static_cast<double>(sample));
        const double before = bench.written();
        bench.link(true);
        drain.push_back(bench.drain(sample));
        written.push_back((bench.written() - before) / static_cast<double>(sample));
        bench.link(false);
    }
    return {median(intake), median(drain), median(cpu), median(written)};
}

// Brings the backlog there, measures, and leaves it so. Returns the processor time of intake.
double measure_at(Bench& bench, Table& table, std::uint64_t backlog, std::optional<double> smallest) {
    const std::uint64_t held = bench.status().readings;
    if (backlog > held) bench.take_in(backlog - held);
    const RawFigures raw = measure_raw_sqlite(bench.directory(), 1s);
    const Speed speed = measure_speed(bench);
    table.add({.name = at("intake, readings/s", backlog),
               .value = speed.intake,
               .peer = raw.rows_per_second,
               .least_ratio = least_of_raw,
               .enough = enough_intake});
    table.add({.name = at("intake, us of processor time per reading", backlog),
               .value = speed.intake_cpu,
               .peer = smallest,
               .most_ratio = smallest ? std::optional(flat) : std::nullopt});
    table.add({.name = at("drain, readings/s", backlog), .value = speed.drain, .peer = raw.rows_per_second});
    table.add({.name = at("written by the drain, bytes/reading", backlog),
               .value = speed.written_by_drain,
               .peer = raw.written_bytes_a_row});
    bench.close();
    ::malloc_trim(0);
    const double before = pss_mib();
    table.add({.name = at("start to the first batch offered, s", backlog),
               .value = bench.start(),
               .most = limit_of_start});
    table.add({.name = at("memory, MiB", backlog), .value = pss_mib() - before, .most = 10});
    bench.link(false);
    return speed.intake_cpu;
}

// How close together the readings are decides on the bytes of their times, and so on how many rows fit a
// page.
void measure_bytes(Table& table, const RawFigures& raw, std::int64_t apart_us) {
    const std::string suffix = ", readings " + std::to_string(apart_us) + " us apart";
    Bench bench(apart_us);
    const double written = bench.written();
    bench.take_in(sample);
    bench.settle();
    table.add({.name = "written by intake, bytes/reading" + suffix,
               .value = (bench.written() - written) / static_cast<double>(sample),
               .peer = raw.written_bytes_a_row,
               .most = apart_us == 0 ? std::optional(limit_written) : std::nullopt});
    bench.close();
    table.add({.name = "size of the file, bytes/reading" + suffix,
               .value = static_cast<double>(std::filesystem::file_size(bench.directory() / "buffer.db")) /
                        static_cast<double>(sample),
               .peer = raw.file_bytes_a_row,
               .most = apart_us == 0 ? std::optional(limit_file) : std::nullopt});
}

void measure_memory_of_whole_drain(Bench& bench, Table& table) {
    const double before = pss_mib();
    bench.link(true);
    double most = 0;
    while (bench.status().readings > 0) {
        bench.drain(500'000);
        most = std::max(most, pss_mib() - before);
    }
    table.add({.name = "memory while all is drained, at most, MiB over before", .value = most, .most = 4});
    bench.settle();
    table.add({.name = "database and WAL after the drain, KiB",
               .value = static_cast<double>(bench.status().bytes) / 1024,
               .most = 512});
}

int run() {
    Table table;
    Bench levels;
    const RawFigures raw = measure_raw_sqlite(levels.directory(), 3s);
    for (const std::int64_t apart_us : {0, 10'000, 1'000'000})
        measure_bytes(table, raw, apart_us);
    std::optional<double> smallest;
    for (const std::uint64_t backlog : {10'000U, 1'000'000U, 10'000'000U}) {
        const double cpu = measure_at(levels, table, backlog, smallest);
        if (!smallest) smallest = cpu;
    }
    measure_memory_of_whole_drain(levels, table);
    return table.missed() ? 1 : 0;
}

}  // namespace
}  // namespace holdfast::bench

int main(int count, char** arguments) {
    if (count > 1) ::setenv("TMPDIR", arguments[1], 1);
    try {
        return holdfast::bench::run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    }
}
