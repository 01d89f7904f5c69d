// How messages that are set aside are shown, and how the command line asks the running agent about them.
//
// A request is one of
//   buffer refused list json|text SEQ NUMBER     a page from that seq on, as buffer list has pages
//   buffer refused show json|text ID NUMBER      one message
//   buffer refused retry|drop all|ID... NUMBER   the answer is MESSAGES and READINGS
// with a number as in listing.hpp. An answer that begins with "error: " is a failure.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "buffer/buffer.hpp"
#include "forward/payload.hpp"

namespace holdfast {

inline constexpr std::string_view refused_request = "buffer refused ";

enum class Shown { text, json };

// A line, with its newline: the id, the input, how many readings and from when on, when, how often and why it
// was set aside; in JSON also its last time, size, kind and code.
std::string refused_line(const RefusedMessage& message, const PayloadIdentity& identity, Shown shown);
// The same and the message itself.
std::string refused_whole(const RefusedMessage& message, const PayloadIdentity& identity, Shown shown);

// Whether it looks like the id of a message, of whatever buffer.
bool is_message_id(std::string_view text);
// What the id of a message ends with; none: it is no id of that epoch.
std::optional<std::uint64_t> parse_message_id(std::string_view id, std::uint64_t epoch);

Error not_set_aside(std::string_view id);

struct RefusedRequest {
    enum class Verb { list, show, retry, drop };
    Verb verb = Verb::list;
    Shown shown = Shown::text;
    std::uint64_t from = 0;               // list
    std::vector<std::uint64_t> messages;  // the others; none: all
};
// Fails with gone when an id is of another buffer, with bug when it is no request.
Result<RefusedRequest> parse_refused_request(std::string_view request, std::uint64_t epoch);
// The agent's end; the listing is for `list` and `show`.
std::string refused_answer(const RefusedRequest& request, const Result<RefusedListing>& listing,
                           const PayloadIdentity& identity);
std::string settled_answer(const Result<Totals>& settled);

// The command line's end. They fail as those in listing.hpp do.
Result<void> each_refused(const std::filesystem::path& socket, Shown shown,
                          const std::function<bool(std::string_view line)>& take);
Result<std::string> show_refused(const std::filesystem::path& socket, Shown shown, const std::string& id);
// All when no id is named. A failure says how many were settled before it.
Result<Totals> settle_refused(const std::filesystem::path& socket, RefusedVerdict verdict,
                              std::vector<std::string> ids);

}  // namespace holdfast
