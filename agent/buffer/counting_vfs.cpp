#include "buffer/counting_vfs.hpp"

#include <sqlite3.h>

#include <cstddef>
#include <string>

namespace holdfast {

struct CountingVfs::Registration : sqlite3_vfs {
    sqlite3_vfs* base = nullptr;
    std::string name;
    std::uint64_t written = 0;
};

namespace {

// SQLite allocates szOsFile bytes: this, and behind it the file of the VFS below.
struct CountingFile : sqlite3_file {
    std::uint64_t* written;
    sqlite3_file* below() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
static_assert(sizeof(CountingFile) % alignof(std::max_align_t) == 0);

sqlite3_file* below(sqlite3_file* file) {
    return static_cast<CountingFile*>(file)->below();
}

int close_file(sqlite3_file* file) {
    sqlite3_file* inner = below(file);
    return inner->pMethods != nullptr ? inner->pMethods->xClose(inner) : SQLITE_OK;
}

int write_file(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    sqlite3_file* inner = below(file);
    const int code = inner->pMethods->xWrite(inner, data, size, offset);
    if (code == SQLITE_OK) *static_cast<CountingFile*>(file)->written += static_cast<std::uint64_t>(size);
    return code;
}

// The rest goes straight through.
template <auto Method, typename... Arguments>
int pass(sqlite3_file* file, Arguments... arguments) {
    sqlite3_file* inner = below(file);
    return (inner->pMethods->*Method)(inner, arguments...);
}

constexpr sqlite3_io_methods make_methods() {
    using M = sqlite3_io_methods;
    sqlite3_io_methods methods{};
    methods.iVersion = 1;  // no shared memory, no memory mapping
    methods.xClose = close_file;
    methods.xRead = pass<&M::xRead, void*, int, sqlite3_int64>;
    methods.xWrite = write_file;
    methods.xTruncate = pass<&M::xTruncate, sqlite3_int64>;
    methods.xSync = pass<&M::xSync, int>;
    methods.xFileSize = pass<&M::xFileSize, sqlite3_int64*>;
    methods.xLock = pass<&M::xLock, int>;
    methods.xUnlock = pass<&M::xUnlock, int>;
    methods.xCheckReservedLock = pass<&M::xCheckReservedLock, int*>;
    methods.xFileControl = pass<&M::xFileControl, int, void*>;
    methods.xSectorSize = pass<&M::xSectorSize>;
    methods.xDeviceCharacteristics = pass<&M::xDeviceCharacteristics>;
    return methods;
}
constexpr sqlite3_io_methods counting_methods = make_methods();

}  // namespace

CountingVfs::CountingVfs() : registration_(std::make_unique<Registration>()) {
    Registration& vfs = *registration_;
    vfs.base = sqlite3_vfs_find(nullptr);
    // The functions that take no file work on the VFS below; only xOpen is ours, and finds the base through
    // its argument.
    static_cast<sqlite3_vfs&>(vfs) = sqlite3_vfs{};
    vfs.iVersion = 1;
    vfs.szOsFile = static_cast<int>(sizeof(CountingFile)) + vfs.base->szOsFile;
    vfs.mxPathname = vfs.base->mxPathname;
    vfs.name = "holdfast-" + std::to_string(reinterpret_cast<std::uintptr_t>(&vfs));
    vfs.zName = vfs.name.c_str();
    vfs.xOpen = [](sqlite3_vfs* self, const char* path, sqlite3_file* file, int flags, int* out_flags) {
        auto* registration = static_cast<Registration*>(self);
        auto* counting = static_cast<CountingFile*>(file);
        counting->written = &registration->written;
        counting->pMethods = nullptr;
        const int code =
            registration->base->xOpen(registration->base, path, counting->below(), flags, out_flags);
        if (code == SQLITE_OK) counting->pMethods = &counting_methods;
        return code;
    };
    vfs.xDelete = [](sqlite3_vfs* self, const char* path, int sync) {
        auto* base = static_cast<Registration*>(self)->base;
        return base->xDelete(base, path, sync);
    };
    vfs.xAccess = [](sqlite3_vfs* self, const char* path, int flags, int* result) {
        auto* base = static_cast<Registration*>(self)->base;
        return base->xAccess(base, path, flags, result);
    };
    vfs.xFullPathname = [](sqlite3_vfs* self, const char* path, int size, char* out) {
        auto* base = static_cast<Registration*>(self)->base;
        return base->xFullPathname(base, path, size, out);
    };
    vfs.xRandomness = [](sqlite3_vfs* self, int size, char* out) {
        auto* base = static_cast<Registration*>(self)->base;
        return base->xRandomness(base, size, out);
    };
    vfs.xSleep = [](sqlite3_vfs* self, int microseconds) {
        auto* base = static_cast<Registration*>(self)->base;
        return base->xSleep(base, microseconds);
    };
    vfs.xCurrentTime = [](sqlite3_vfs* self, double* out) {
        auto* base = static_cast<Registration*>(self)->base;
        return base->xCurrentTime(base, out);
    };
    vfs.xGetLastError = [](sqlite3_vfs* self, int size, char* out) {
        auto* base = static_cast<Registration*>(self)->base;
        return base->xGetLastError(base, size, out);
    };
    sqlite3_vfs_register(&vfs, 0);
}

CountingVfs::~CountingVfs() {
    sqlite3_vfs_unregister(registration_.get());
}

const char* CountingVfs::name() const {
    return registration_->name.c_str();
}

std::uint64_t CountingVfs::written_bytes() const {
    return registration_->written;
}

}  // namespace holdfast
