#include "buffer/nth_fault.hpp"

#include <stdexcept>

namespace holdfast::test {
namespace {

int code_of(FileCall::Kind kind) {
    switch (kind) {
        case FileCall::Kind::open:
            return SQLITE_CANTOPEN;
        case FileCall::Kind::read:
            return SQLITE_IOERR_READ;
        case FileCall::Kind::write:
            return SQLITE_IOERR_WRITE;
        case FileCall::Kind::truncate:
            return SQLITE_IOERR_TRUNCATE;
        case FileCall::Kind::sync:
            return SQLITE_IOERR_FSYNC;
        case FileCall::Kind::size:
            return SQLITE_IOERR_FSTAT;
        case FileCall::Kind::lock:
            return SQLITE_IOERR_LOCK;
        case FileCall::Kind::remove:
            return SQLITE_IOERR_DELETE;
        default:
            return SQLITE_IOERR_ACCESS;
    }
}

sqlite3_mem_methods allocator{};       // SQLite's own
NthFault* allocation_fault = nullptr;  // SQLite hands its allocator no context

}  // namespace

int NthFaultVfs::before(FileCall& call) {
    const bool is_read = call.kind == FileCall::Kind::read;
    if (kind_ == Kind::reads ? !is_read : is_read) return SQLITE_OK;
    if (kind_ == Kind::writes_full && call.kind != FileCall::Kind::write) return SQLITE_OK;
    if (!fault.strikes()) return SQLITE_OK;
    call.let_through = call.data.size() / 2;
    return kind_ == Kind::writes_full ? SQLITE_FULL : code_of(call.kind);
}

AllocationFaults::AllocationFaults() {
    allocation_fault = &fault;
    sqlite3_shutdown();
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &allocator);
    sqlite3_mem_methods failing = allocator;
    failing.xMalloc = [](int size) -> void* {
        return allocation_fault->strikes() ? nullptr : allocator.xMalloc(size);
    };
    failing.xRealloc = [](void* old, int size) -> void* {
        return allocation_fault->strikes() ? nullptr : allocator.xRealloc(old, size);
    };
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) != SQLITE_OK || sqlite3_initialize() != SQLITE_OK)
        throw std::runtime_error("SQLite does not take another allocator");
}

AllocationFaults::~AllocationFaults() {
    sqlite3_shutdown();
    sqlite3_config(SQLITE_CONFIG_MALLOC, &allocator);
    sqlite3_initialize();
    allocation_fault = nullptr;
}

}  // namespace holdfast::test
