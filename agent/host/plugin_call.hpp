// A call into a plugin behind a fence: what it throws becomes an errno and a text.
#pragma once

#include <errno.h>

#include <cstdint>
#include <exception>
#include <new>
#include <string>

namespace holdfast::host {

// What is wrong with a plugin that calls watch() and has no ready().
inline constexpr const char* watches_in_vain = "has a descriptor watched, but no ready()";

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
