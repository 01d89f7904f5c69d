// Errors are values, classed by what the caller can do about them.
//
// A function that can fail returns Result<T>; whoever can react reads the kind, whoever stands at the top
// logs the text once, on change of state. Nobody logs and returns the same error.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace holdfast {

struct Error {
    // The kind is the reaction it asks for.
    enum class Kind {
        retry,    // passing: try again later, with backoff
        config,   // a person has to change the configuration; trying again is useless until then
        full,     // a bound was reached: make room or drop, and count it
        corrupt,  // stored or received bytes are damaged: set aside, salvage, go on
        gone,     // the other end (device, process, connection) is away: reopen it
        bug,      // cannot happen; report it and go on as safely as possible
    };

    Kind kind = Kind::bug;
    std::string text;  // for a person: what, where, what to do
    int code = 0;      // errno, or the library's own code; 0 where there is none
};

// [[nodiscard]] is what this adds to tl::expected.
template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
  public:
    using tl::expected<T, Error>::expected;
    Result(tl::expected<T, Error> other) : tl::expected<T, Error>(std::move(other)) {}
    Result(Error error) : tl::expected<T, Error>(tl::unexpect, std::move(error)) {}
};

// An error made from errno: "TEXT: strerror". Its kind is the caller's to choose.
Error system_error(Error::Kind kind, std::string text, int code);

}  // namespace holdfast
