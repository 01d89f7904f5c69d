// A run of the buffer on a disk that is recorded, and what the buffer promised at each moment of it: held
// against what a power cut at this moment leaves.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "buffer/crash_disk.hpp"
#include "buffer/recording_vfs.hpp"
#include "buffer/support.hpp"

namespace holdfast::test {

// A directory in memory where there is one: power cuts are made by these tests, and syncs only cost time.
std::filesystem::path fast_directory();

// A number from the environment; without it a default that a sanitizer makes smaller.
std::size_t how_many(const char* variable, std::size_t usual, std::size_t under_sanitizers);

// A batch that differs from all others: its body holds the number.
Batch numbered_batch(std::uint64_t number, Priority priority = Priority::normal, std::size_t bytes = 300);

std::size_t number_of(const Batch& batch);
// But for the seq, which the buffer gives.
bool same(const Batch& a, const Batch& b);

// At most 1 MiB, so that it is soon full and its WAL soon written back.
BufferConfig small_buffer(Durability durability = Durability::offline);

// The numbers are positions in the recording.
struct Promise {
    static constexpr std::size_t never = std::numeric_limits<std::size_t>::max();
    Batch batch;                    // as it was taken in, without its seq
    std::uint64_t seq = 0;          // 0: not seen yet
    std::size_t begun = 0;          // may be there from then on
    std::size_t given = never;      // had its seq
    std::size_t committed = never;  // has to be there from then on,
    std::size_t acked = never;      // until then;
    std::size_t deleted = never;    // must not be there from then on
};

class CrashRun {
  public:
    explicit CrashRun(BufferConfig config, RecordingVfs::Lies lies = nullptr);
    struct Before {
        DiskImage files;
        std::vector<Promise> promises;
        std::uint64_t dropped = 0;  // readings that gap records in the files tell of
    };
    // Goes on where another run ended.
    CrashRun(BufferConfig config, Before before, RecordingVfs::Lies lies = nullptr);

    Buffer& buffer() { return *test_.buffer; }
    const Recording& recording() const { return recording_; }  // after finish()
    const BufferConfig& config() const { return test_.config; }
    const std::vector<Promise>& promises() const { return promises_; }
    std::uint64_t dropped() const { return dropped_.back().readings; }

    void append(Priority priority = Priority::normal, std::size_t bytes = 300);
    // Everything due within that time gets done.
    void pass(Micros time);
    // The next that is offered; false: none is.
    bool peek();
    // Acknowledges all that was peeked.
    void acknowledge();
    void close();
    void open();
    // Ends the recording, and learns the seqs of what is left.
    void finish();

    // What is on the disk now, as a kill leaves it.
    DiskImage files() const;
    // For a run that goes on after finish(): in the files as they were then, or in `files` of an earlier
    // moment.
    Before handed_over() const { return handed_over(files()); }
    Before handed_over(DiskImage files) const { return {std::move(files), promises_, dropped()}; }

    struct Tolerance {
        bool set_aside = false;  // the buffer may take the file for damaged, if what is in it stays there
    };
    // Opens the buffer in a directory as power left it at that position; says what is wrong with it, if
    // anything.
    std::string check(const std::filesystem::path& directory, std::size_t cut, Tolerance tolerance) const;

  private:
    struct Dropped {
        std::size_t since = 0;
        std::uint64_t readings = 0;
    };
    std::size_t now() const { return disk_->position(); }
    void note();
    void note_seq(const Batch& batch);
    std::string compare(const std::vector<Batch>& offered, const std::set<std::size_t>& saved,
                        std::size_t cut) const;
    std::string count_gaps(std::uint64_t missing, std::uint64_t told, std::size_t cut) const;
    std::uint64_t highest_given(std::size_t cut) const;

    std::unique_ptr<RecordingVfs> disk_;  // until finish()
    BufferInDirectory test_;
    std::vector<Promise> promises_;
    std::vector<Dropped> dropped_{{}};
    std::uint64_t dropped_before_ = 0;  // the last open
    std::vector<std::uint64_t> lent_;
    std::uint64_t epoch_ = 0;
    Recording recording_;
};

// With a WAL, but without shared memory, which the VFSs of these tests don't have.
int open_alone(const std::filesystem::path& file, sqlite3** connection);

bool was_set_aside(const std::filesystem::path& directory);
// The numbers of the batches in files that the buffer took for damaged and set aside.
std::set<std::size_t> set_aside(const std::filesystem::path& directory);

// Opens the file as any SQLite does and looks for damage; empty: there is none.
std::string integrity(const std::filesystem::path& file);

struct Cut {
    std::size_t at = 0;     // in the recording
    std::size_t image = 0;  // of this cut
    DiskImage files;
};
// Cuts power at each write, sync and truncation of the run, several times where there are few of them;
// returns the number of cuts.
std::size_t cut_power(const Recording& run, std::size_t images, const std::function<void(const Cut&)>& look);

struct CrashReport {
    std::size_t cuts = 0;
    std::size_t images = 0;
    std::vector<std::string> problems;
};
CrashReport check_cuts(const CrashRun& run, std::size_t images);

}  // namespace holdfast::test
