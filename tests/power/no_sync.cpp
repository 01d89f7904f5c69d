// Preloaded into a process: nothing that it syncs is safe, as with SQLite's `synchronous=OFF`.
extern "C" {

int fsync(int) {
    return 0;
}

int fdatasync(int) {
    return 0;
}

int sync_file_range(int, long, long, unsigned) {
    return 0;
}

}  // extern "C"
