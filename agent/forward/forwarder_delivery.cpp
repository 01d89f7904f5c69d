// What travels over the link: the window, refusals, acknowledgements. The link itself is in forwarder.cpp.
#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "forward/forwarder.hpp"
#include "model/topic.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

// Readings this old are a backlog, and told of so often.
constexpr std::int64_t backlog_age_s = 10;
constexpr auto status_interval = 60s;
// A transport that does not take a message is about to say that the link is lost; if not, it is asked again
// so soon.
constexpr auto pause_time = 100ms;
// A message that is refused for passing reasons is given up after so many tries.
constexpr unsigned most_refusals = 10;
// So many windows of messages may rest at a time, so that what rests has a bound.
constexpr std::size_t most_resting_windows = 4;
// Batches waiting to be sent; a wider window does not need more to be kept full.
constexpr std::size_t most_ready = 1'000;
constexpr int packet_too_large = 0x95;
// What may be longer in a part of a batch than in the batch: the length of the packet, and the id twice.
constexpr std::size_t longer_in_a_part = 3 + 2 * 20;

// Reasons that stay as long as message and permissions are what they are (MQTT 5, 3.4.2.1 and 3.5.2.1).
bool refused_for_good(int code) {
    constexpr std::array for_good{0x87, 0x90, 0x95, 0x99, 0x9A, 0x9B};
    return std::find(for_good.begin(), for_good.end(), code) != for_good.end();
}

// Of the whole PUBLISH packet (MQTT 5, 3.3).
std::size_t packet_bytes(const Message& message) {
    const std::size_t packet_id = message.qos > 0 ? 2 : 0;
    // A user property is a byte and two strings with their lengths (MQTT 5, 2.2.2.2).
    std::size_t properties = message.content_type.empty() ? 0 : 3 + message.content_type.size();
    if (message.expiry_s) properties += 5;
    for (const auto& [name, value] : message.user)
        properties += 5 + name.size() + value.size();
    if (properties > 127) ++properties;  // the length's second byte; a third takes more than four of ours
    const std::size_t remaining =
        2 + message.topic.size() + packet_id + 1 + properties + message.payload.size();
    std::size_t length_bytes = 1;
    for (std::size_t rest = remaining >> 7; rest > 0; rest >>= 7)
        ++length_bytes;
    return 1 + length_bytes + remaining;
}

}  // namespace

std::size_t Forwarder::window() const {
    return std::max<std::size_t>(1, std::min(config_.max_in_flight, limits_.receive_maximum));
}

void Forwarder::offered(std::vector<Batch> batches) {
    asked_ -= std::min<std::uint64_t>(asked_, batches.size());
    for (Batch& batch : batches)
        outbox_.offer(std::move(batch));
    // What comes late is for the next link, in the order that the buffer chooses then.
    const bool soon = phase_ == Phase::renewing || phase_ == Phase::turning;
    if (phase_ != Phase::connected && !soon) give_back(outbox_.take_ready());
}

void Forwarder::ask_for_more() {
    const std::size_t want = std::min(window(), most_ready);
    const std::uint64_t have = outbox_.ready() + asked_;
    if (have > want / 2) return;
    asked_ += want - have;
    actions_.emplace_back(action::Demand{static_cast<std::uint32_t>(want - have)});
}

void Forwarder::publish_what_fits(MonoTime now) {
    outbox_.release(now);
    if (paused_until_ && now < *paused_until_) return;
    paused_until_.reset();
    if (std::exchange(status_due_, false)) publish_status(AgentState::online, now);
    while (in_flight() < window() && outbox_.resting() < most_resting_windows * window()) {
        std::optional<Outbox::Item> item = outbox_.next();
        if (!item) break;
        publish(std::move(*item), now);
    }
}

void Forwarder::publish(Outbox::Item item, MonoTime now) {
    Result<Encoded> encoded = encode(item.batch);
    if (!encoded) return refuse(item, 0, encoded.error().text, now);
    Message& message = encoded->message;
    item.bytes = packet_bytes(message);
    follow_packet_limit(item.bytes - message.payload.size());
    if (item.bytes > packet_limit() && split(item)) return;
    // A limit that was only learnt is no reason to give a message up.
    if (const std::size_t told = limits_.maximum_packet_size; told > 0 && item.bytes > told)
        return refuse(item, packet_too_large,
                      "a message of " + std::to_string(item.bytes) + " bytes is larger than the " +
                          std::to_string(told) + " that the broker takes",
                      now);
    if (!std::exchange(item.counted, true)) {
        status_.published_readings += readings_held(item.batch.header);
        status_.non_finite += encoded->non_finite;
    }
    item.qos = message.qos;
    const DeliveryToken token = hand_over(std::move(message), now);
    outbox_.sent(token, std::move(item));
}

// True: smaller ones come instead. What was sent already, to a server that takes more, keeps its id and
// bytes.
bool Forwarder::split(const Outbox::Item& item) {
    const std::size_t beside = bytes_beside_readings(item.batch);
    if (item.counted || readings_held(item.batch.header) < 2 || beside >= packet_limit()) return false;
    ++status_.split_messages;
    actions_.emplace_back(action::Split{{item.batch.header.seq, packet_limit() - beside}});
    return true;
}

// Of the packet of a part of this batch, at most.
std::size_t Forwarder::bytes_beside_readings(const Batch& batch) {
    const auto body = decode_body(batch.header.kind, batch.body);
    if (!body) return packet_limit();
    Batch empty{batch.header, batch.body.substr(0, batch.body.size() - body->stream.size())};
    const auto encoded = encode(empty);
    return encoded ? packet_bytes(encoded->message) + longer_in_a_part : packet_limit();
}

std::size_t Forwarder::packet_limit() const {
    const std::size_t told = limits_.maximum_packet_size;
    const std::size_t learnt = learnt_limits_[attempt_.server];
    constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
    return std::min(told > 0 ? told : none, learnt > 0 ? learnt : none);
}

// The broker would not take a packet of that size. From now on what can be split is kept smaller.
void Forwarder::learn_limit(std::size_t refused_bytes) {
    if (refused_bytes == 0 || refused_bytes > packet_limit()) return;
    learnt_limits_[attempt_.server] = refused_bytes - 1;
    log_.info(status_.server + " takes no messages of " + std::to_string(refused_bytes) +
              " bytes and more: splitting what is that large");
}

// A hint for those who make batches: what a message may have beside what this one has around its payload.
void Forwarder::follow_packet_limit(std::size_t around) {
    const std::size_t limit = packet_limit();
    if (limit == std::numeric_limits<std::size_t>::max())
        status_.payload_limit = 0;
    else if (const std::size_t most = limit > around ? limit - around : 1;
             status_.payload_limit == 0 || most < status_.payload_limit)
        status_.payload_limit = most;
}

DeliveryToken Forwarder::hand_over(Message message, MonoTime now) {
    if (in_flight() == 0) last_answer_ = now;
    actions_.emplace_back(action::Publish{++last_token_, std::move(message)});
    return last_token_;
}

Result<Forwarder::Encoded> Forwarder::encode(const Batch& batch) {
    const Result<BatchBody> body = decode_body(batch.header.kind, batch.body);
    if (!body) return body.error();
    Result<std::string> topic =
        expand_topic(config_.topic, identity_.agent_id, batch.header.input, body->tags);
    if (!topic) return topic.error();
    Result<PayloadEncoder::Payload> payload = encoder_.encode(batch.header, *body);
    if (!payload) return payload.error();
    Message message{std::move(*topic), std::move(payload->json), std::min(config_.qos, limits_.maximum_qos),
                    config_.retain && limits_.retain_available};
    describe(message, batch.header);
    return Encoded{std::move(message), payload->non_finite};
}

// What MQTT 5 can say beside the payload, so that a consumer need not parse it to route or count.
void Forwarder::describe(Message& message, const BatchHeader& header) const {
    if (attempt_.protocol != Protocol::v5) return;
    message.expiry_s = config_.message_expiry;
    if (!config_.properties) return;
    message.content_type = "application/json";
    message.user = {{"id", message_id(identity_.epoch, seq_of_message(header))},
                    {"agent", identity_.agent_id},
                    {"input", header.input},
                    {"count", std::to_string(readings_held(header))}};
}

std::optional<Message> Forwarder::status_message(AgentState state) const {
    if (config_.status_topic.empty()) return std::nullopt;
    const PayloadIdentity identity{identity_.agent_id, identity_.epoch, identity_.timestamp_unit};
    return Message{config_.status_topic,
                   status_payload(identity, state, identity_.version, identity_.started_wall_us, backlog_),
                   std::min(config_.qos, status_qos_), status_retain_};
}

void Forwarder::publish_status(AgentState state, MonoTime now) {
    std::optional<Message> message = status_message(state);
    if (!message) return;
    message->qos = std::min(message->qos, limits_.maximum_qos);
    message->retain = message->retain && limits_.retain_available;
    status_token_ = hand_over(std::move(*message), now);
}

// Whoever looks at the status topic sees a backlog shrink, and that it is gone.
void Forwarder::follow_backlog(MonoTime now) {
    if (next_status_ && now >= *next_status_) {
        next_status_.reset();
        status_due_ = !status_token_ && !config_.status_topic.empty();
    }
    if (!next_status_ && backlog_.oldest_age_s.value_or(0) >= backlog_age_s)
        next_status_ = now + status_interval;
}

void Forwarder::pause(MonoTime now) {
    paused_until_ = now + pause_time;
}

void Forwarder::not_taken(DeliveryToken token, MonoTime now) {
    told(transport::DeliveryFailed{token, -1, "the transport did not take it"}, now);
}

void Forwarder::on(const transport::Delivered& event, MonoTime now) {
    if (online()) {
        last_answer_ = now;
        silent_links_ = 0;
        dialer_.acknowledged();
    }
    if (event.token == status_token_)
        status_token_.reset();
    else if (const auto item = outbox_.answered(event.token))
        acknowledged(*item);
}

void Forwarder::acknowledged(const Outbox::Item& item) {
    ++status_.acked_messages;
    status_.acked_readings += readings_held(item.batch.header);
    acked_.push_back(item.batch.header.seq);
}

void Forwarder::on(const transport::DeliveryFailed& event, MonoTime now) {
    if (event.token == status_token_) return on_status_failed(event, now);
    std::optional<Outbox::Item> item = outbox_.answered(event.token);
    if (!item) return;
    const bool broker_refused = event.code >= 0x80;
    if (!broker_refused) {
        if (online()) pause(now);
        return outbox_.again(std::move(*item));
    }
    last_answer_ = now;
    ++item->refusals;
    if (event.code == packet_too_large) learn_limit(item->bytes);
    if (refused_for_good(event.code) || item->refusals >= most_refusals)
        return refuse(*item, event.code, "the broker refuses it: " + event.text, now);
    const auto rest = std::min(config_.backoff_max, config_.backoff_initial * (1U << (item->refusals - 1)));
    outbox_.later(std::move(*item), now + rest);
}

void Forwarder::on_status_failed(const transport::DeliveryFailed& event, MonoTime now) {
    const bool broker_refused = event.code >= 0x80;
    if (broker_refused) {
        last_answer_ = now;
        status_token_.reset();
        log_.warning("the broker refuses the status message on " + config_.status_topic + ": " + event.text);
    } else if (phase_ == Phase::farewell) {
        phase_ends_ = now;
    } else {
        status_token_.reset();
        status_due_ = phase_ == Phase::connected;
        pause(now);
    }
}

// Set aside: it must not block the others.
void Forwarder::refuse(const Outbox::Item& item, int code, const std::string& why, MonoTime now) {
    const BatchHeader& header = item.batch.header;
    ++status_.refused_messages;
    refusals_.add(header.input, readings_held(header), why, now);
    actions_.emplace_back(action::SetAside{{header.seq, code, why, std::max(item.refusals, 1U)}});
}

// A broker that ends the connection since a packet is too large does not say which. If any of those in flight
// is, the largest is. True: the link itself is good, and what is left goes on over the next.
bool Forwarder::blame_the_largest(const LinkFailure& failure, MonoTime now) {
    if (failure.code != packet_too_large) return false;
    std::optional<Outbox::Item> largest = outbox_.take_largest();
    if (!largest) return false;
    learn_limit(largest->bytes);
    refuse(*largest, failure.code, "the broker refuses it: " + failure.text, now);
    // Else the transport would send it again with the session.
    dialer_.forget_session();
    return true;
}

void Forwarder::give_back(std::vector<std::uint64_t> seqs) {
    if (!seqs.empty()) actions_.emplace_back(action::GiveBack{std::move(seqs)});
}

}  // namespace holdfast
