// The n-th call fails, once or from then on: of those to SQLite's files (NthFaultVfs) or to its allocator
// (AllocationFaults).
#pragma once

#include <cstddef>
#include <limits>
#include <string_view>

#include "buffer/shim_vfs.hpp"

namespace holdfast::test {

class NthFault {
  public:
    enum class Span { once, for_ever };

    static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

    // The n-th call from now on, from 1; none: the calls are only counted.
    void arm(std::size_t n, Span span) {
        nth_ = n;
        span_ = span;
        calls_ = 0;
        armed_ = true;
    }
    void disarm() { armed_ = false; }
    std::size_t calls() const { return calls_; }  // since arm() and until disarm()
    Span span() const { return span_; }
    bool struck() const { return calls_ >= nth_; }
    // To be asked by each call: whether it is to fail.
    bool strikes() {
        if (!armed_) return false;
        ++calls_;
        return calls_ == nth_ || (calls_ > nth_ && span_ == Span::for_ever);
    }

  private:
    std::size_t nth_ = none;
    std::size_t calls_ = 0;
    Span span_ = Span::once;
    bool armed_ = false;
};

class NthFaultVfs final : public ShimVfs {
  public:
    enum class Kind {
        all_but_reads,  // with an I/O error; of a write half is done
        reads,          // with an I/O error
        writes_full     // as on a full disk
    };
    explicit NthFaultVfs(Kind kind) : ShimVfs("nth-fault"), kind_(kind) {}
    NthFault fault;

  private:
    int before(FileCall& call) override;
    Kind kind_;
};

// SQLite's allocator while it lives. To be made and to go while no database is open: SQLite is shut down for
// it.
class AllocationFaults {
  public:
    AllocationFaults();
    AllocationFaults(const AllocationFaults&) = delete;
    AllocationFaults& operator=(const AllocationFaults&) = delete;
    ~AllocationFaults();
    NthFault fault;
};

}  // namespace holdfast::test
