#include "buffer/recording_vfs.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace holdfast::test {

using Kind = FileCall::Kind;

RecordingVfs::RecordingVfs(Lies lies) : ShimVfs("recording"), lies_(std::move(lies)) {}

void RecordingVfs::after(const FileCall& call) {
    const std::string name = std::filesystem::path(call.path).filename();
    switch (call.kind) {
        case Kind::open:
            return opened(call, name);
        case Kind::write:
            return add(
                {DiskEvent::Kind::write, name, known_.at(name).file, call.offset, std::string(call.data)});
        case Kind::truncate:
            return add({DiskEvent::Kind::truncate, name, known_.at(name).file, call.offset, {}});
        case Kind::sync:
            return synced(name);
        case Kind::remove:
            if (const auto known = known_.find(name); known != known_.end()) {
                add({DiskEvent::Kind::unlink, name, known->second.file, 0, {}});
                known_.erase(known);
            }
            if (call.flags != 0 && !(lies_ && lies_(name))) add({DiskEvent::Kind::sync_directory, name});
            return;
        default:
            return;
    }
}

// The unix VFS syncs the directory with the first sync of a journal or WAL that it may have made
// (UNIXFILE_DIRSYNC in os_unix.c), and with no other.
void RecordingVfs::opened(const FileCall& call, const std::string& name) {
    if (known_.empty()) find_files(std::filesystem::path(call.path).parent_path());
    const auto [known, is_new] = known_.try_emplace(name);
    constexpr int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    known->second.sync_directory = (call.flags & SQLITE_OPEN_CREATE) != 0 && (call.flags & journals) != 0;
    if (!is_new) return;
    known->second.file = files_++;
    add({DiskEvent::Kind::link, name, known->second.file, 0, {}});
}

// What was there before the recording began is safe; but an empty file was just made, and not through SQLite.
void RecordingVfs::find_files(const std::filesystem::path& directory) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        std::ifstream file(entry.path(), std::ios::binary);
        std::string content(std::istreambuf_iterator<char>(file), {});
        if (content.empty()) continue;
        const std::string name = entry.path().filename();
        known_[name].file = files_;
        add({DiskEvent::Kind::link, name, files_++, 0, std::move(content)});
    }
    add({DiskEvent::Kind::sync_directory, {}});
    recording_.begin = position();
}

void RecordingVfs::synced(const std::string& name) {
    if (lies_ && lies_(name)) return;
    Known& known = known_.at(name);
    add({DiskEvent::Kind::sync, name, known.file});
    if (std::exchange(known.sync_directory, false)) add({DiskEvent::Kind::sync_directory, name});
}

}  // namespace holdfast::test
