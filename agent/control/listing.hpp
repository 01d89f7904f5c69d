// How the command line gets to see what the running agent holds: page by page, each asked for by its place.
//
// The request is "buffer list PLACE"; the answer is `ask_again` until the store thread has the page, then a
// line of JSON a batch, and as the last line "next PLACE" or "end".
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "buffer/buffer.hpp"
#include "forward/payload.hpp"

namespace holdfast {

inline constexpr std::string_view ask_again = "wait\n";

std::string to_text(const Listing::Place& place);
std::optional<Listing::Place> parse_place(std::string_view text);

// The answer; batches that can't be decoded are left out.
std::string listing_text(const Listing& listing, const PayloadIdentity& identity);

// The command line's end: asks until the answer is another than `ask_again`. Fails as ask_agent does, and
// with config when the agent refuses.
Result<std::string> ask_until_answered(const std::filesystem::path& socket, const std::string& request);
// Every line of JSON, until `take` returns false.
Result<void> each_listed(const std::filesystem::path& socket,
                         const std::function<bool(std::string_view line)>& take);

}  // namespace holdfast
