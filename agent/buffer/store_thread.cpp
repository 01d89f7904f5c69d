#include "buffer/store_thread.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>

#include "buffer/batch_database.hpp"

namespace holdfast {
namespace {

constexpr std::chrono::seconds heartbeat{2};
// A turn never works off more of a long inbox than this before it looks after offers and commits.
constexpr std::size_t messages_per_turn = 64;
constexpr std::size_t batches_per_offer = 64;
constexpr std::size_t messages_worth_a_turn = 16;

}  // namespace

void StoreThread::Inbox::add(const Batch& batch) {
    batches += 1;
    readings += readings_held(batch.header);
    memory += memory_of(batch);
}

void StoreThread::Inbox::subtract(const Inbox& taken) {
    batches -= taken.batches;
    readings -= taken.readings;
    memory -= taken.memory;
}

StoreThread::StoreThread(std::unique_ptr<Buffer> buffer, const Clock& clock, Bytes inbox_limit,
                         std::function<void()> room)
    : buffer_(std::move(buffer)),
      clock_(clock),
      epoch_(buffer_->epoch()),
      inbox_limit_(inbox_limit),
      room_(std::move(room)),
      last_progress_(clock.now()),
      status_(buffer_->status()) {}

// stop() was called, or the thread never started: a destructor does not flush.
StoreThread::~StoreThread() {
    if (thread_.joinable()) (void)stop();
}

void StoreThread::start(BatchSink* sink) {
    sink_ = sink;
    if (sink_ != nullptr) buffer_->expect_link();
    thread_ = std::thread([this] {
        ::pthread_setname_np(::pthread_self(), "store");
        run();
    });
}

Result<void> StoreThread::stop() {
    mailbox_.post_urgent(Stop{});
    thread_.join();
    return closed_;
}

void StoreThread::append(Batch batch) {
    {
        const std::lock_guard lock(mutex_);
        inbox_.add(batch);
        if (inbox_.memory > inbox_limit_.count) full_ = true;
    }
    mailbox_.post(std::move(batch));
}

void StoreThread::demand(std::uint32_t count) {
    mailbox_.post_urgent(Demand{count});
}

void StoreThread::acknowledge(std::vector<std::uint64_t> seqs) {
    mailbox_.post(Acknowledge{std::move(seqs)});
}

void StoreThread::give_back(std::vector<std::uint64_t> seqs) {
    mailbox_.post(GiveBack{std::move(seqs)});
}

void StoreThread::set_aside(Refusal refusal) {
    mailbox_.post(std::move(refusal));
}

void StoreThread::split(Oversize oversize) {
    mailbox_.post(oversize);
}

void StoreThread::set_link(bool up) {
    mailbox_.post(Link{up});
}

Backlog StoreThread::backlog() const {
    const std::lock_guard lock(mutex_);
    return {status_.readings + inbox_.readings, status_.committed_readings, status_.oldest_age_s,
            status_.drain_rate, status_.empty_in_s};
}

void StoreThread::ask_to_list(std::uint64_t question, Listing::Place from) {
    mailbox_.post(List{question, from});
}

void StoreThread::ask_to_purge(std::uint64_t question) {
    mailbox_.post(Purge{question});
}

void StoreThread::ask_to_list_refused(std::uint64_t question, std::uint64_t from) {
    mailbox_.post(ListRefused{question, from});
}

void StoreThread::ask_for_refused(std::uint64_t question, std::uint64_t message_seq) {
    mailbox_.post(FindRefused{question, message_seq});
}

void StoreThread::ask_to_settle_refused(std::uint64_t question, RefusedVerdict verdict,
                                        std::vector<std::uint64_t> message_seqs) {
    mailbox_.post(SettleRefused{question, verdict, std::move(message_seqs)});
}

std::optional<StoreThread::Answer> StoreThread::take_answer(std::uint64_t question) {
    const std::lock_guard lock(mutex_);
    auto answer = std::exchange(answer_, std::nullopt);
    return answer && answer->question == question ? std::move(answer) : std::nullopt;
}

void StoreThread::answer(Answer answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
}

BufferStatus StoreThread::status() const {
    const std::lock_guard lock(mutex_);
    BufferStatus status = status_;
    status.batches += inbox_.batches;
    status.readings += inbox_.readings;
    status.in_memory_readings += inbox_.readings;
    return status;
}

void StoreThread::run() {
    std::vector<Message> messages;
    Inbox taken;
    MonoTime due = settle(taken);
    do {
        mailbox_.take(messages, due, messages_worth_a_turn);
        if (!handle(messages, taken)) break;
        due = settle(taken);
    } while (true);
    closed_ = buffer_->close();
    publish_state(taken);
}

bool StoreThread::handle(std::vector<Message>& messages, Inbox& taken) {
    std::size_t handled = 0;
    bool go_on = true;
    for (Message& message : messages) {
        go_on = handle(message, taken) && go_on;
        if (++handled % messages_per_turn == 0) settle(taken);
    }
    return go_on;
}

bool StoreThread::handle(Message& message, Inbox& taken) {
    if (auto* batch = std::get_if<Batch>(&message)) {
        taken.add(*batch);
        buffer_->append(std::move(*batch));
    } else if (const auto* demand = std::get_if<Demand>(&message)) {
        demanded_ += demand->count;
    } else if (const auto* acknowledged = std::get_if<Acknowledge>(&message)) {
        for (const std::uint64_t seq : acknowledged->seqs)
            buffer_->ack(seq);
    } else if (const auto* returned = std::get_if<GiveBack>(&message)) {
        for (const std::uint64_t seq : returned->seqs)
            buffer_->give_back(seq);
    } else if (auto* refusal = std::get_if<Refusal>(&message)) {
        buffer_->set_aside(std::move(*refusal));
    } else if (const auto* oversize = std::get_if<Oversize>(&message)) {
        buffer_->split(*oversize);
    } else if (const auto* link = std::get_if<Link>(&message)) {
        buffer_->set_link(link->up);
    } else {
        return handle_question(message);
    }
    return true;
}

bool StoreThread::handle_question(const Message& message) {
    if (const auto* wanted = std::get_if<List>(&message)) {
        answer({.question = wanted->question, .listing = buffer_->list(wanted->from)});
    } else if (const auto* purge = std::get_if<Purge>(&message)) {
        answer({.question = purge->question, .purged = buffer_->purge()});
    } else if (const auto* page = std::get_if<ListRefused>(&message)) {
        answer({.question = page->question, .refused = buffer_->list_refused(page->from)});
    } else if (const auto* one = std::get_if<FindRefused>(&message)) {
        auto found = buffer_->find_refused(one->message_seq);
        RefusedListing listing;
        if (found && *found) listing.messages.push_back(std::move(**found));
        answer({.question = one->question,
                .refused = found ? Result<RefusedListing>(std::move(listing)) : found.error()});
    } else if (const auto* settle = std::get_if<SettleRefused>(&message)) {
        answer({.question = settle->question,
                .settled = buffer_->settle_refused(settle->verdict, settle->message_seqs)});
    } else {
        return false;
    }
    return true;
}

// Offers go first: a commit may take long. Those of `strict` durability come after it.
MonoTime StoreThread::settle(Inbox& taken) {
    offer();
    const auto due = buffer_->step();
    offer();
    publish_state(taken);
    const MonoTime latest = clock_.now() + heartbeat;
    return due ? std::min(*due, latest) : latest;
}

void StoreThread::offer() {
    while (sink_ != nullptr && demanded_ > 0) {
        std::vector<Batch> batches;
        while (batches.size() < std::min<std::uint64_t>(demanded_, batches_per_offer)) {
            auto batch = buffer_->peek();
            if (!batch) break;
            batches.push_back(std::move(*batch));
        }
        if (batches.empty()) return;
        demanded_ -= batches.size();
        sink_->offer(std::move(batches));
    }
}

void StoreThread::publish_state(Inbox& taken) {
    BufferStatus status = buffer_->status();
    const bool had_room = has_room();
    blocked_ = !buffer_->has_room();
    {
        const std::lock_guard lock(mutex_);
        status_ = std::move(status);
        inbox_.subtract(taken);
        if (full_ && inbox_.memory <= inbox_limit_.count / 2) full_ = false;
    }
    const bool room = has_room() && !had_room;
    taken = {};
    last_progress_.store(clock_.now(), std::memory_order_relaxed);
    if (room && room_) room_();
}

}  // namespace holdfast
