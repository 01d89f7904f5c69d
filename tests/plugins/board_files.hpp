// A copy of a board's files from fixtures/, for a test to change as a running board would.
#pragma once

#include <filesystem>
#include <string>

#include "support/temp_dir.hpp"

namespace holdfast::test {

class BoardFiles : public TempDir {
  public:
    // "": an empty tree.
    explicit BoardFiles(const std::string& board = "") {
        if (!board.empty()) overlay(board);
    }
    // Puts the board's files over those that are there.
    void overlay(const std::string& board) const {
        namespace fs = std::filesystem;
        const fs::path from = fs::path(HOLDFAST_FIXTURES) / board;
        for (const fs::directory_entry& entry : fs::recursive_directory_iterator(from)) {
            const fs::path to = path() / entry.path().lexically_relative(from);
            if (entry.is_symlink()) {
                fs::remove_all(to);
                fs::copy_symlink(entry.path(), to);
            } else if (entry.is_directory()) {
                fs::create_directories(to);
            } else {
                fs::remove(to);
                fs::copy_file(entry.path(), to);
            }
        }
    }
    // In place of the file: one whose first byte can't be read (the memory of the test at address 0): EIO.
    void break_file(const std::string& name) const {
        std::filesystem::remove(path() / name);
        std::filesystem::create_symlink("/proc/self/mem", path() / name);
    }
    void remove(const std::string& name) const { std::filesystem::remove_all(path() / name); }
};

}  // namespace holdfast::test
