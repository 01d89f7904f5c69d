#include "control/listing.hpp"

#include <unistd.h>

#include <charconv>
#include <thread>

#include "control/control_socket.hpp"

namespace holdfast {
namespace {

constexpr std::chrono::milliseconds patience{5};
constexpr std::chrono::seconds longest_wait{60};
constexpr std::string_view next_page = "next ";
constexpr std::string_view last_page = "end";
constexpr std::string_view unreadable = "unreadable";

struct Page {
    std::optional<std::string> next;
    bool ends = false;
    bool whole = true;
    bool go_on = true;
};

Page read_page(std::string_view text, const std::function<bool(std::string_view line)>& take) {
    Page page;
    while (!text.empty() && page.go_on) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (line.starts_with(next_page))
            page.next = line.substr(next_page.size());
        else if (line == last_page)
            page.ends = true;
        else if (line == unreadable)
            page.whole = false;
        else
            page.go_on = take(line);
    }
    return page;
}

}  // namespace

Result<std::string> ask_until_answered(const std::filesystem::path& socket, const std::string& request) {
    constexpr std::string_view refusal = "error: ";
    const std::string numbered = request + " " + std::to_string(::getpid());
    const auto deadline = std::chrono::steady_clock::now() + longest_wait;
    while (std::chrono::steady_clock::now() < deadline) {
        auto answer = ask_agent(socket, numbered);
        if (!answer) return answer;
        if (answer->starts_with(refusal))
            return Error{Error::Kind::config,
                         answer->substr(refusal.size(), answer->find('\n') - refusal.size())};
        if (answer->empty() || answer->back() != '\n')
            return Error{Error::Kind::retry, "the agent broke off its answer"};
        if (*answer != ask_again) return answer;
        std::this_thread::sleep_for(patience);
    }
    return Error{Error::Kind::retry, "the agent is busy with its disk and does not answer"};
}

std::string to_text(const Listing::Place& place) {
    return std::to_string(static_cast<int>(place.priority)) + " " + std::to_string(place.seq);
}

std::optional<Listing::Place> parse_place(std::string_view text) {
    Listing::Place place;
    if (text.size() < 3 || text[0] < '0' || text[0] > '2' || text[1] != ' ') return std::nullopt;
    place.priority = static_cast<Priority>(text[0] - '0');
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + 2, end, place.seq);
    if (read.ec != std::errc{} || (read.ptr != end && *read.ptr != ' ')) return std::nullopt;
    return place;
}

std::string listing_text(const Listing& listing, const PayloadIdentity& identity) {
    PayloadEncoder encoder(identity);
    std::string text;
    for (const Batch& batch : listing.batches)
        if (const auto payload = encoder.encode(batch)) text.append(payload->json).append("\n");
    if (!listing.whole) text.append(unreadable).append("\n");
    return text + page_end(listing.next ? std::optional(to_text(*listing.next)) : std::nullopt);
}

std::string page_end(const std::optional<std::string>& next) {
    return (next ? std::string(next_page) + *next : std::string(last_page)) + "\n";
}

Result<void> each_listed(const std::filesystem::path& socket,
                         const std::function<bool(std::string_view line)>& take) {
    return each_page(socket, std::string(list_request), to_text(Listing::Place{}), take);
}

Result<void> each_page(const std::filesystem::path& socket, const std::string& request,
                       const std::string& first, const std::function<bool(std::string_view line)>& take) {
    bool whole = true;
    for (std::optional<std::string> place = first; place;) {
        const auto text = ask_until_answered(socket, request + *place);
        if (!text) return text.error();
        Page page = read_page(*text, take);
        if (!page.go_on) return {};
        if (!page.next && !page.ends) return Error{Error::Kind::retry, "the agent broke off its answer"};
        whole = whole && page.whole;
        place = std::move(page.next);
    }
    if (whole) return {};
    return Error{Error::Kind::retry,
                 "the agent can't read its disk now: what is on it is missing (see holdfast status)"};
}

Result<std::string> purge_agent(const std::filesystem::path& socket) {
    auto answer = ask_until_answered(socket, "buffer purge");
    if (answer) answer->pop_back();
    return answer;
}

}  // namespace holdfast
