#include "buffer/fault_run.hpp"

#include <algorithm>
#include <iostream>

namespace holdfast::test {
namespace {

constexpr std::chrono::minutes longest_backoff{2};

}  // namespace

FaultRun::FaultRun(BufferConfig config, const CrashRun::Before& before, NthFault& fault)
    : fault_(fault), test_(config, fast_directory()), promises_(before.promises) {
    write_image(before.files, test_.directory.path());
}

void FaultRun::wrong(std::string what) {
    if (problem_.empty()) problem_ = std::move(what);
}

void FaultRun::open() {
    auto opened = Buffer::open(test_.directory.path(), test_.config, test_.clock, test_.log);
    if (!opened) return;
    test_.buffer = std::move(*opened);
    if (was_set_aside(test_.directory.path())) test_.settle();  // what it had is taken over
    const BufferStatus status = test_.buffer->status();
    held_at_open_ = status.readings;
    opened_without_disk_ = held_at_open_ == 0 && !status.last_error.empty();
    appended_ = 0;
}

void FaultRun::append(int batches, std::size_t bytes) {
    for (int i = 0; i < batches && test_.buffer; ++i) {
        const Batch batch = numbered_batch(promises_.size(), static_cast<Priority>(i % 3), bytes);
        promises_.push_back({.batch = batch});
        appended_ += batch.header.count;
        test_.append(batch);
        check_counts();
    }
}

void FaultRun::pass() {
    if (!test_.buffer) return;
    test_.pass(test_.config.commit_interval);
    check_counts();
}

void FaultRun::deliver(std::size_t most) {
    if (!test_.buffer) return;
    test_.buffer->set_link(true);
    for (std::size_t i = 0; i < most; ++i) {
        const auto batch = test_.buffer->peek();
        check_counts();
        if (!batch) return;
        if (batch->header.kind == BatchKind::gap) continue;
        promises_.at(number_of(*batch)).acked = 0;
        test_.buffer->ack(batch->header.seq);
        check_counts();
    }
}

void FaultRun::close() {
    if (!test_.buffer) return;
    const auto closed = test_.buffer->close();
    if (!closed && fault_.span() == NthFault::Span::once) wrong("one failure and close gives up");
    // What close() could not write it says; some of it may have reached the disk all the same.
    if (!closed) lost_ += test_.buffer->status().in_memory_readings;
    note_dropped();
}

void FaultRun::note_dropped() {
    dropped_ += test_.buffer->status().dropped_readings;
    test_.buffer.reset();
}

void FaultRun::check_counts() {
    const BufferStatus status = test_.buffer->status();
    if (status.readings != status.in_memory_readings + status.committed_readings)
        wrong("held are " + std::to_string(status.readings) + " readings, " +
              std::to_string(status.in_memory_readings) + " in memory and " +
              std::to_string(status.committed_readings) + " committed");
    const std::uint64_t accounted =
        status.readings + status.salvaging_readings + status.acked_readings + status.dropped_readings;
    // What lies there is known when the disk is back.
    if (opened_without_disk_ && !status.last_error.empty()) return;
    if (std::exchange(opened_without_disk_, false)) held_at_open_ = accounted - appended_;
    if (accounted != held_at_open_ + appended_)
        wrong(std::to_string(held_at_open_ + appended_) + " readings were taken in, " +
              std::to_string(status.readings) + " are held, " + std::to_string(status.acked_readings) +
              " acknowledged, " + std::to_string(status.dropped_readings) + " dropped");
}

FaultRun::Found FaultRun::drain() {
    Found found;
    test_.settle();
    test_.buffer->set_link(true);
    for (const Batch& batch : test_.peek_all()) {
        if (batch.header.kind == BatchKind::gap) {
            found.told += batch.header.count;
            continue;
        }
        const std::size_t number = number_of(batch);
        const std::string name = "batch " + std::to_string(number);
        if (number >= promises_.size())
            wrong(name + " was never taken in");
        else if (!same(batch, promises_[number].batch))
            wrong(name + " is not what was taken in");
        if (!found.batches.insert(number).second) wrong(name + " is offered twice");
    }
    return found;
}

void FaultRun::compare(const Found& found, bool damaged) {
    std::uint64_t missing = 0;
    for (std::size_t number = 0; number < promises_.size(); ++number)
        if (promises_[number].acked == Promise::never && !found.batches.contains(number))
            missing += promises_[number].batch.header.count;
    const std::string sums = std::to_string(missing) + " readings are missing, " + std::to_string(dropped_) +
                             " were dropped, " + std::to_string(lost_) +
                             " lost by close, gap records tell of " + std::to_string(found.told);
    if (missing > dropped_ + lost_) wrong(sums);
    if (!damaged && (missing < dropped_ || found.told != dropped_) && lost_ == 0) wrong(sums);
}

std::string FaultRun::verdict(CrashRun::Tolerance tolerance) {
    fault_.disarm();
    if (test_.buffer) {
        test_.pass(longest_backoff);
        check_counts();
        if (const BufferStatus status = test_.buffer->status();
            !status.last_error.empty() || status.in_memory_readings > 0)
            wrong("it did not recover: " + status.last_error);
        if (auto closed = test_.buffer->close(); !closed) wrong("it does not close: " + closed.error().text);
        note_dropped();
    }
    open();
    if (!test_.buffer) {
        wrong("it does not open again");
    } else {
        Found found = drain();
        if (auto closed = test_.buffer->close(); !closed) wrong("it does not close: " + closed.error().text);
        note_dropped();
        found.batches.merge(set_aside(test_.directory.path()));
        const bool damaged = was_set_aside(test_.directory.path());
        if (damaged && !tolerance.set_aside) wrong("it was set aside");
        compare(found, damaged);
        wrong(integrity(test_.directory / "buffer.db"));
    }
    return problem_.empty() ? problem_ : problem_ + "\n" + test_.log.text();
}

namespace {

CrashRun::Before nothing() {
    return {};
}

std::function<CrashRun::Before()> filled(int batches, std::size_t bytes) {
    return [=] {
        CrashRun run(small_buffer());
        for (int i = 0; i < batches; ++i)
            run.append(static_cast<Priority>(i % 3), bytes);
        run.pass(run.config().commit_interval);
        run.finish();
        return run.handed_over();
    };
}

CrashRun::Before killed() {
    CrashRun run(small_buffer());
    for (int i = 0; i < 30; ++i)
        run.append(static_cast<Priority>(i % 3), 2'000);
    run.pass(run.config().commit_interval);
    DiskImage files = run.files();
    run.finish();
    return run.handed_over(std::move(files));
}

void open(FaultRun& run) {
    run.open();
}

void take_in(FaultRun& run) {
    for (int round = 0; round < 3; ++round) {
        run.append(4, 1'000);
        run.pass();
    }
}

}  // namespace

std::vector<FaultScenario> fault_scenarios() {
    BufferConfig strict = small_buffer();
    strict.durability = Durability::strict;
    BufferConfig little_memory = small_buffer();
    little_memory.memory = kibibytes(256);
    const auto open_and_take_in = [](FaultRun& run) {
        run.open();
        take_in(run);
    };
    return {
        {"Making", small_buffer(), nothing, [](FaultRun&) {}, open_and_take_in},
        {"Starting", small_buffer(), killed, [](FaultRun&) {}, open_and_take_in},
        {"TakingIn", small_buffer(), filled(20, 1'000), open, take_in},
        {"Sending", strict, filled(20, 1'000), open,
         [](FaultRun& run) {
             for (int round = 0; round < 3; ++round) {
                 run.append(3, 1'000);
                 run.deliver(4);
                 run.pass();
             }
         }},
        {"Acknowledging", small_buffer(), filled(80, 1'500), open,
         [](FaultRun& run) {
             run.deliver(40);
             run.pass();
         }},
        {"Dropping", small_buffer(), filled(150, 4'000), open,
         [](FaultRun& run) {
             run.append(8, 20'000);
             run.pass();
             run.append(4, 20'000);
             run.pass();
         }},
        {"Shrinking", small_buffer(), filled(150, 2'000), open,
         [](FaultRun& run) {
             run.deliver(1'000);
             run.pass();
             run.pass();
         }},
        {"MemoryAsARing", little_memory, nothing, open,
         [](FaultRun& run) {
             for (int round = 0; round < 10; ++round) {
                 run.append(3, 20'000);
                 run.pass();
             }
         }},
        {"Closing", small_buffer(), filled(20, 1'000),
         [](FaultRun& run) {
             run.open();
             run.append(5, 1'000);
         },
         [](FaultRun& run) { run.close(); }},
    };
}

FaultReport fail_each(const FaultScenario& scenario, NthFault& fault, NthFault::Span span, std::size_t most,
                      CrashRun::Tolerance tolerance) {
    FaultReport report;
    const CrashRun::Before before = scenario.before();
    // Whether there was an n-th call.
    const auto run_once = [&](std::size_t n) {
        FaultRun run(scenario.config, before, fault);
        scenario.first(run);
        fault.arm(n, span);
        scenario.then(run);
        const bool struck = fault.struck();
        report.calls = std::max(report.calls, struck ? 0 : fault.calls());
        const std::string problem = run.verdict(tolerance);
        report.runs += 1;
        if (!problem.empty())
            report.problems.push_back("call " + std::to_string(n) +
                                      (span == NthFault::Span::once ? ": " : " and on: ") + problem);
        return struck;
    };
    run_once(NthFault::none);  // counts
    const std::size_t step = std::max<std::size_t>(1, report.calls / std::max<std::size_t>(most, 1));
    std::size_t n = 1;
    while (run_once(n))
        n += step;
    std::cout << "[ FAULTS   ] " << scenario.name << ": " << report.runs << " runs of " << report.calls
              << " calls, failing " << (span == NthFault::Span::once ? "once" : "for ever") << std::endl;
    return report;
}

}  // namespace holdfast::test
