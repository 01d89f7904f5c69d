// The one call on device nodes that a test puts a fake in place of; everything else that the plugins do with
// them (open, read, poll, lock) works on the files and pipes of a test as it does on devices.
#pragma once

#include <errno.h>
#include <sys/ioctl.h>

#include <functional>

namespace device {

// ioctl(2): what it returned, or a negative errno.
using Control = std::function<int(int fd, unsigned long request, void* argument)>;

inline int control(int fd, unsigned long request, void* argument) {
    int result = 0;
    do
        result = ::ioctl(fd, request, argument);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

}  // namespace device
