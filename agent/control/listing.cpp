#include "control/listing.hpp"

#include <charconv>
#include <thread>

#include "control/control_socket.hpp"

namespace holdfast {
namespace {

constexpr std::chrono::milliseconds patience{5};
constexpr std::chrono::seconds longest_wait{60};
constexpr std::string_view next_page = "next ";

}  // namespace

std::string to_text(const Listing::Place& place) {
    return std::to_string(static_cast<int>(place.priority)) + " " + std::to_string(place.seq);
}

std::optional<Listing::Place> parse_place(std::string_view text) {
    Listing::Place place;
    if (text.size() < 3 || text[0] < '0' || text[0] > '2' || text[1] != ' ') return std::nullopt;
    place.priority = static_cast<Priority>(text[0] - '0');
    const auto read = std::from_chars(text.data() + 2, text.data() + text.size(), place.seq);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
    return place;
}

std::string listing_text(const Listing& listing, const PayloadIdentity& identity) {
    PayloadEncoder encoder(identity);
    std::string text;
    for (const Batch& batch : listing.batches) {
        const auto body = decode_body(batch.header.kind, batch.body);
        if (!body) continue;
        if (const auto payload = encoder.encode(batch.header, *body)) text.append(payload->json).append("\n");
    }
    return text.append(listing.next ? std::string(next_page) + to_text(*listing.next) : "end").append("\n");
}

Result<std::string> ask_until_answered(const std::filesystem::path& socket, const std::string& request) {
    constexpr std::string_view refusal = "error: ";
    const auto deadline = std::chrono::steady_clock::now() + longest_wait;
    while (std::chrono::steady_clock::now() < deadline) {
        auto answer = ask_agent(socket, request);
        if (!answer) return answer;
        if (answer->starts_with(refusal))
            return Error{Error::Kind::config,
                         answer->substr(refusal.size(), answer->find('\n') - refusal.size())};
        if (*answer != ask_again) return answer;
        std::this_thread::sleep_for(patience);
    }
    return Error{Error::Kind::retry, "the agent is busy with its disk and does not answer"};
}

Result<void> each_listed(const std::filesystem::path& socket,
                         const std::function<bool(std::string_view line)>& take) {
    std::optional<Listing::Place> place = Listing::Place{};
    while (place) {
        const auto page = ask_until_answered(socket, "buffer list " + to_text(*place));
        if (!page) return page.error();
        place.reset();
        std::string_view rest = *page;
        while (!rest.empty()) {
            const std::string_view line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(line.size() + 1, rest.size()));
            if (line.starts_with(next_page))
                place = parse_place(line.substr(next_page.size()));
            else if (line != "end" && !take(line))
                return {};
        }
    }
    return {};
}

}  // namespace holdfast
