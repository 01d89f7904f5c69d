// A call into a plugin behind a fence: what it throws becomes an errno and a text.
#pragma once

#include <errno.h>
#include <string.h>

#include <cstdint>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "host/services.hpp"

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

inline bool is_failure(std::int32_t code) {
    return code < 0 && code != -EAGAIN;
}

// The same; a failure that the plugin said nothing of is counted for it.
template <typename Call>
std::int32_t call_counted(Services& services, Call function) {
    const std::uint64_t errors_before = services.errors();
    CallResult result = call_fenced(function);
    const auto refusal = services.take_refusal();
    if (!is_failure(result.code) || services.errors() != errors_before) return result.code;
    // A plugin that passes on why the host refused its reading says no more than the errno.
    if (result.text.empty() && refusal && refusal->code == result.code) result.text = refusal->why;
    services.count_error(-result.code, result.text.empty() ? ::strerror(-result.code) : result.text);
    return result.code;
}

// What the daemon is told when open or check gave `code`, a failure.
inline frame::OpenFailed open_failed(Services& services, std::int32_t code) {
    auto errors = services.take_errors();
    return {-code, code == -EINVAL, errors ? std::move(errors->text) : ::strerror(-code)};
}

}  // namespace holdfast::host
