// Pieces of a buffer's life in which something fails, and whether everything taken in is accounted for
// afterwards.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "buffer/crash_run.hpp"
#include "buffer/nth_fault.hpp"

namespace holdfast::test {

class FaultRun {
  public:
    FaultRun(BufferConfig config, const CrashRun::Before& before, NthFault& fault);

    // What happens to a buffer that did not open is nothing.
    void open();
    void append(int batches, std::size_t bytes);
    void pass();
    void deliver(std::size_t most);
    void close();

    // Ends the fault, waits until it must be over, opens the buffer again and looks what is there. Empty: all
    // is well.
    std::string verdict(CrashRun::Tolerance tolerance);

  private:
    struct Found {
        std::set<std::size_t> batches;
        std::uint64_t told = 0;  // of by gap records
    };
    void check_counts();
    void wrong(std::string what);
    void note_dropped();
    Found drain();
    void compare(const Found& found, bool damaged);

    NthFault& fault_;
    BufferInDirectory test_;
    std::vector<Promise> promises_;
    std::uint64_t held_at_open_ = 0;
    bool opened_without_disk_ = false;
    std::uint64_t appended_ = 0;  // since then
    std::uint64_t dropped_ = 0;   // by buffers that were closed
    std::uint64_t lost_ = 0;      // at most: a close that failed said so
    std::string problem_;
};

struct FaultScenario {
    const char* name;
    BufferConfig config;
    std::function<CrashRun::Before()> before;
    std::function<void(FaultRun&)> first;  // while all is well
    std::function<void(FaultRun&)> then;
};
std::vector<FaultScenario> fault_scenarios();

struct FaultReport {
    std::size_t calls = 0;  // that could fail
    std::size_t runs = 0;
    std::vector<std::string> problems;
};
// Runs the scenario with the n-th call failing, for n = 1 and on until a run ends before its n-th call; of
// many calls only so many are tried.
FaultReport fail_each(const FaultScenario& scenario, NthFault& fault, NthFault::Span span, std::size_t most,
                      CrashRun::Tolerance tolerance);

}  // namespace holdfast::test
