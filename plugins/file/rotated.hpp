// Finding what was followed again after a time in which nobody looked: the file may have been renamed
// meanwhile, and more than once.
#pragma once

#include <string>
#include <vector>

#include "tail.hpp"

namespace file_input {

// The file with this place in it, at that place, and behind it those that took its name after it, oldest
// first; none of them is the file that is called `path` now. Empty when the first can't be found: it was
// deleted, compressed, or moved to another directory. Throws when more files are open than may be.
std::vector<Tail> rotated_since(const std::string& path, const Place& place);

// The part of a path before its last '/'; "/" for a file there.
std::string directory_of(const std::string& path);

}  // namespace file_input
