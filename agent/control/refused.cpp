#include "control/refused.hpp"

#include <algorithm>
#include <charconv>

#include "control/listing.hpp"
#include "forward/wall_dates.hpp"

namespace holdfast {
namespace {

constexpr std::string_view all_messages = "all";
// So that a request stays below what the agent reads of one (control_socket.cpp).
constexpr std::size_t ids_per_request = 64;

std::string_view take_word(std::string_view& text) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    return word;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
    return number;
}

std::string_view kind_text(BatchKind kind) {
    return kind == BatchKind::gap ? "gap" : kind == BatchKind::thinned ? "thinned" : "readings";
}

std::optional<std::string> payload_of(const RefusedMessage& message, const PayloadIdentity& identity) {
    auto payload = PayloadEncoder(identity).encode(message.batch);
    if (!payload) return std::nullopt;
    return std::move(payload->json);
}

std::string id_of(const RefusedMessage& message, const PayloadIdentity& identity) {
    return message_id(identity.epoch, seq_of_message(message.batch.header));
}

void put_batch(JsonWriter& json, const Batch& batch) {
    const BatchHeader& header = batch.header;
    json.key("input").any_text(header.input);
    json.key("kind").text(kind_text(header.kind));
    json.key("readings").number(header.count);
    json.key("bytes").number(batch.body.size());
    json.key("first_ts").number((header.first_us + header.wall_offset_us) / 1000);
    json.key("last_ts").number((header.last_us + header.wall_offset_us) / 1000);
}

std::string to_json(const RefusedMessage& message, const PayloadIdentity& identity,
                    const std::optional<std::string>& payload) {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    json.key("id").text(id_of(message, identity));
    if (message.damaged) {
        json.key("damaged").boolean(true);
        json.key("readings").number(message.batch.header.count);
    } else {
        put_batch(json, message.batch);
    }
    json.key("code").number(message.refusal.code);
    json.key("reason").any_text(message.refusal.text);
    json.key("times").number(message.refusal.times);
    json.key("refused_ts").number(message.refusal.wall_us / 1000);
    if (payload) json.key("message").raw(*payload);
    json.end_object();
    return out + "\n";
}

std::string batch_text(const BatchHeader& header) {
    return header.input + "  " + std::to_string(header.count) +
           (header.kind == BatchKind::gap ? " lost readings from " : " readings from ") +
           date_text(header.first_us + header.wall_offset_us) + " on";
}

std::string to_text(const RefusedMessage& message, const PayloadIdentity& identity) {
    const BatchHeader& header = message.batch.header;
    const std::string what = message.damaged
                                 ? "damaged on the disk, " + std::to_string(header.count) + " readings"
                                 : batch_text(header);
    return id_of(message, identity) + "  " + what + ", set aside " + date_text(message.refusal.wall_us) +
           (message.refusal.times > 1 ? " after " + std::to_string(message.refusal.times) + " times" : "") +
           ": " + message.refusal.text + "\n";
}

}  // namespace

std::string refused_line(const RefusedMessage& message, const PayloadIdentity& identity, Shown shown) {
    return shown == Shown::json ? to_json(message, identity, std::nullopt) : to_text(message, identity);
}

std::string refused_whole(const RefusedMessage& message, const PayloadIdentity& identity, Shown shown) {
    const auto payload = payload_of(message, identity);
    if (shown == Shown::json) return to_json(message, identity, payload);
    return to_text(message, identity) + payload.value_or("the message can't be decoded") + "\n";
}

bool is_message_id(std::string_view text) {
    return text.find('-') != std::string_view::npos &&
           text.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
}

std::optional<std::uint64_t> parse_message_id(std::string_view id, std::uint64_t epoch) {
    const std::string own = message_id(epoch, 0);
    const std::size_t dash = own.find('-') + 1;
    if (id.size() <= dash || id.substr(0, dash) != std::string_view(own).substr(0, dash)) return std::nullopt;
    return parse_number(id.substr(dash));
}

Error not_set_aside(std::string_view id) {
    return {Error::Kind::gone, "no message " + std::string(id) + " is set aside"};
}

Result<RefusedRequest> parse_refused_request(std::string_view text, std::uint64_t epoch) {
    using Verb = RefusedRequest::Verb;
    const Error unknown{Error::Kind::bug, "unknown request"};
    RefusedRequest request;
    text.remove_prefix(std::min(refused_request.size(), text.size()));
    const std::string_view verb = take_word(text);
    if (verb == "list" || verb == "show") {
        request.verb = verb == "list" ? Verb::list : Verb::show;
        request.shown = take_word(text) == "json" ? Shown::json : Shown::text;
    } else if (verb == "retry" || verb == "drop") {
        request.verb = verb == "retry" ? Verb::retry : Verb::drop;
    } else {
        return unknown;
    }
    const std::size_t number = text.rfind(' ');
    if (number == std::string_view::npos) return unknown;
    text = text.substr(0, number);
    if (request.verb == Verb::list) {
        const auto from = parse_number(text);
        if (!from) return unknown;
        request.from = *from;
        return request;
    }
    if (text == all_messages && request.verb != Verb::show) return request;
    while (!text.empty()) {
        const std::string_view id = take_word(text);
        const auto message = parse_message_id(id, epoch);
        if (!message) return not_set_aside(id);
        request.messages.push_back(*message);
    }
    if (request.messages.empty()) return unknown;
    return request;
}

std::string refused_answer(const RefusedRequest& request, const Result<RefusedListing>& listing,
                           const PayloadIdentity& identity) {
    if (!listing) return "error: " + listing.error().text + "\n";
    if (request.verb == RefusedRequest::Verb::show) {
        if (!listing->messages.empty())
            return refused_whole(listing->messages.front(), identity, request.shown);
        return "error: " + not_set_aside(message_id(identity.epoch, request.messages.front())).text + "\n";
    }
    std::string text;
    for (const RefusedMessage& message : listing->messages)
        text += refused_line(message, identity, request.shown);
    return text + (listing->next ? page_end(std::to_string(*listing->next)) : page_end(std::nullopt));
}

std::string settled_answer(const Result<Totals>& settled) {
    if (!settled) return "error: " + settled.error().text + "\n";
    return std::to_string(settled->batches) + " " + std::to_string(settled->readings) + "\n";
}

Result<void> each_refused(const std::filesystem::path& socket, Shown shown,
                          const std::function<bool(std::string_view line)>& take) {
    return each_page(socket,
                     std::string(refused_request) + (shown == Shown::json ? "list json " : "list text "), "0",
                     take);
}

Result<std::string> show_refused(const std::filesystem::path& socket, Shown shown, const std::string& id) {
    return ask_until_answered(
        socket, std::string(refused_request) + (shown == Shown::json ? "show json " : "show text ") + id);
}

Result<Totals> settle_refused(const std::filesystem::path& socket, RefusedVerdict verdict,
                              std::vector<std::string> ids) {
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    const std::string verb =
        std::string(refused_request) + (verdict == RefusedVerdict::retry ? "retry" : "drop");
    Totals totals;
    std::size_t named = 0;
    do {
        std::string request = verb;
        if (ids.empty()) request.append(" ").append(all_messages);
        for (const std::size_t end = std::min(ids.size(), named + ids_per_request); named < end; ++named)
            request.append(" ").append(ids[named]);
        auto answer = ask_until_answered(socket, request);
        if (!answer && totals.batches > 0)
            answer.error().text +=
                ", after " + std::to_string(totals.batches) + " messages were " +
                (verdict == RefusedVerdict::retry ? "taken up to be sent again" : "dropped");
        if (!answer) return answer.error();
        std::string_view text(*answer);
        text.remove_suffix(1);
        totals.batches += parse_number(take_word(text)).value_or(0);
        totals.readings += parse_number(text).value_or(0);
    } while (named < ids.size());
    return totals;
}

}  // namespace holdfast
