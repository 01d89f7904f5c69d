// Tells when something may have happened to the followed file: what inotify(7) says of it and of its
// directory. Where it can't (some network file systems say nothing, and a directory may be gone), looking
// once an interval has to do.
#pragma once

#include <string>

#include "shared/device/fd.hpp"

namespace file_input {

class Notices {
  public:
    Notices();

    // Readable when something happened; -1 where the system gives no descriptor.
    int fd() const { return fd_.get(); }
    // Takes what was said, so that fd() is not readable until more happens.
    void clear();
    // From now on changes of what is at these paths are told as well; a path where nothing is, is no error.
    // The number of the file's watch, -1 for none.
    int watch(const std::string& directory, const std::string& file);
    void forget(int watch);

  private:
    device::Fd fd_;
};

}  // namespace file_input
