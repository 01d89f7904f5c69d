// SQLite's default VFS that writes down, in order, everything that changes what is on the disk, and what of
// it was synced. The files are written as well. From the recording, crash_disk.hpp makes what a power cut
// would have left.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "buffer/shim_vfs.hpp"

namespace holdfast::test {

struct DiskEvent {
    enum class Kind { link, unlink, write, truncate, sync, sync_directory };
    Kind kind;
    std::string name = {};    // of the file in its directory
    std::size_t file = 0;     // a name that is removed and made again is another file
    std::int64_t offset = 0;  // of a write; of a truncation the new size
    std::string data = {};    // of a write; of a link what was in it already and is safe
};

struct Recording {
    std::vector<DiskEvent> events;
    std::size_t begin = 0;  // before it are the files that were there already
};

class RecordingVfs final : public ShimVfs {
  public:
    // Syncs of the files that this is true for are said to be done, and nothing is safe.
    using Lies = std::function<bool(std::string_view name)>;
    explicit RecordingVfs(Lies lies = nullptr);

    const Recording& recording() const { return recording_; }
    std::size_t position() const { return recording_.events.size(); }

  private:
    struct Known {
        std::size_t file = 0;
        bool sync_directory = false;  // with the first sync
    };
    void after(const FileCall& call) override;
    void opened(const FileCall& call, const std::string& name);
    void find_files(const std::filesystem::path& directory);
    void synced(const std::string& name);
    void add(DiskEvent event) { recording_.events.push_back(std::move(event)); }

    Lies lies_;
    Recording recording_;
    std::map<std::string, Known> known_;
    std::size_t files_ = 0;
};

}  // namespace holdfast::test
