// How the command line gets to see what the running agent holds, page by page, and has it deleted.
//
// A request is "buffer list PLACE NUMBER" or "buffer purge NUMBER", the number any that tells one asker from
// another. The answer is `ask_again` until the store thread has it. A page is a line of JSON a batch, then
// "unreadable" when the disk could not be read, and as the last line "next PLACE" or "end".
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "buffer/buffer.hpp"
#include "forward/payload.hpp"

namespace holdfast {

inline constexpr std::string_view ask_again = "wait\n";
inline constexpr std::string_view list_request = "buffer list ";
inline constexpr std::string_view purge_request = "buffer purge ";

std::string to_text(const Listing::Place& place);
// What stands behind the place is passed over.
std::optional<Listing::Place> parse_place(std::string_view text);

// The answer; batches that can't be decoded are left out.
std::string listing_text(const Listing& listing, const PayloadIdentity& identity);

// The last line of a page.
std::string page_end(const std::optional<std::string>& next);

// The command line's end of any question that the store thread answers. Fails as ask_agent does, with config
// when the agent refuses, and with retry when it does not come to an answer.
Result<std::string> ask_until_answered(const std::filesystem::path& socket, const std::string& request);
// Likewise; every line of all pages, from the place `first` on, until `take` returns false.
Result<void> each_page(const std::filesystem::path& socket, const std::string& request,
                       const std::string& first, const std::function<bool(std::string_view line)>& take);

// The command line's end. Every line of JSON, until `take` returns false. Fails as ask_agent does, with
// config when the agent refuses, and with retry when not all could be had.
Result<void> each_listed(const std::filesystem::path& socket,
                         const std::function<bool(std::string_view line)>& take);
// How many readings were deleted.
Result<std::string> purge_agent(const std::filesystem::path& socket);

}  // namespace holdfast
