// A call into a plugin behind a fence: what it throws becomes an errno and a text.
#pragma once

#include <errno.h>

#include <cstdint>
#include <exception>
#include <new>
#include <string>

namespace holdfast::host {

struct CallResult {
    std::int32_t code = 0;
    std::string text;  // what was thrown; else empty
};

// `function` returns a code.
template <typename Call>
CallResult call_fenced(Call function) {
    try {
        return {function(), {}};
    } catch (const std::bad_alloc&) {
        return {-ENOMEM, "ran out of memory: raise the input's memory limit, or mend a leak"};
    } catch (const std::exception& thrown) {
        return {-EIO, std::string("threw an exception: ") + thrown.what()};
    } catch (...) {
        return {-EIO, "threw an exception of an unknown type"};
    }
}

}  // namespace holdfast::host
