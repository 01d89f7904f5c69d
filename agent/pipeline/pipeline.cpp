#include "pipeline/pipeline.hpp"

#include <algorithm>

namespace holdfast {
namespace {

using namespace std::chrono_literals;

constexpr auto clock_interval = 10ms;

// {"agent":"","input":"","id":"0123456789abcdef-18446744073709551615","tags":{},"readings":[]}
constexpr std::size_t envelope_fixed_bytes = 100;

std::size_t envelope_bytes(const AgentConfig& agent, const InputConfig& input, const Tags& tags) {
    std::size_t bytes = envelope_fixed_bytes + agent.id.size() + input.name.size();
    for (const auto& [key, value] : tags)
        bytes += key.size() + value.size() + 6;
    return bytes;
}

}  // namespace

Pipeline::Pipeline(AgentConfig agent, BatchConfig limits, const Clock& clock, Append append)
    : agent_(std::move(agent)),
      limits_(limits),
      clock_(clock),
      append_(std::move(append)),
      patience_(limits.max_delay - limits.max_delay / 10),
      boot_(read_boot_id()),
      synchronised_(clock.synchronised()) {}

void Pipeline::configure(const std::vector<InputConfig>& inputs) {
    last_ = nullptr;
    std::map<std::string, std::unique_ptr<Input>> next;
    for (const InputConfig& config : inputs) {
        const auto found = inputs_.find(config.name);
        if (found != inputs_.end() && found->second->config == config) {
            next.insert(inputs_.extract(found));
            continue;
        }
        const Tags tags = merged_tags(config.tags, agent_.tags);
        Batcher batcher(config, tags, limits_, envelope_bytes(agent_, config, tags));
        batcher.set_message_limit(message_limit_);
        next.emplace(config.name, std::make_unique<Input>(Input{config, std::move(batcher)}));
    }
    flush();
    inputs_ = std::move(next);
}

Pipeline::Input* Pipeline::find(const std::string& name) {
    if (last_ != nullptr && last_->config.name == name) return last_;
    const auto found = inputs_.find(name);
    last_ = found == inputs_.end() ? nullptr : found->second.get();
    return last_;
}

void Pipeline::begin_stream(const std::string& name) {
    Input* input = find(name);
    if (input == nullptr) return;
    close(*input);  // a batch has each channel's name once
    input->batcher.begin_stream();
}

void Pipeline::accept(const std::string& name, const Reading& reading, const std::vector<Channel>& channels) {
    Input* input = find(name);
    if (input == nullptr) return;  // stopped by a new configuration while its last frames were under way
    Batcher& batcher = input->batcher;
    const std::size_t bytes = batcher.payload_bytes(reading, channels);
    if (!batcher.has_room(bytes)) close(*input);
    if (batcher.count() == 0) batcher.open(clock_.now(), stamp());
    batcher.add(reading, channels, bytes);
    if (batcher.full()) close(*input);
}

void Pipeline::close(Input& input) {
    if (input.batcher.count() == 0) return;
    look_at_clock();
    append_(input.batcher.close(stamp()));
}

// The kernel's answer is slow beside all else that a batch of one reading costs.
void Pipeline::look_at_clock() {
    const MonoTime now = clock_.now();
    if (now < clock_due_) return;
    clock_due_ = now + clock_interval;
    synchronised_ = clock_.synchronised();
}

Batcher::Stamp Pipeline::stamp() const {
    return {boot_, clock_.wall_us() - clock_.boot_us(), synchronised_};
}

void Pipeline::set_message_limit(std::uint64_t bytes) {
    if (bytes == message_limit_) return;
    message_limit_ = bytes;
    for (const auto& [name, input] : inputs_)
        input->batcher.set_message_limit(bytes);
}

std::optional<MonoTime> Pipeline::step() {
    const MonoTime now = clock_.now();
    std::optional<MonoTime> next;
    for (const auto& [name, input] : inputs_) {
        const auto opened = input->batcher.opened();
        if (!opened) continue;
        if (now - *opened >= longest_wait_) {
            flush();
            return std::nullopt;
        }
        if (now - *opened >= patience_) {
            close(*input);
            continue;
        }
        const MonoTime due = *opened + std::min(patience_, longest_wait_);
        next = next ? std::min(*next, due) : due;
    }
    return next;
}

void Pipeline::flush() {
    for (const auto& [name, input] : inputs_)
        close(*input);
}

std::uint64_t Pipeline::open_readings() const {
    std::uint64_t count = 0;
    for (const auto& [name, input] : inputs_)
        count += input->batcher.count();
    return count;
}

std::optional<std::int64_t> Pipeline::oldest_open_wall_us() const {
    std::optional<std::int64_t> oldest;
    for (const auto& [name, input] : inputs_) {
        if (input->batcher.count() == 0) continue;
        const std::int64_t first = input->batcher.first_us();
        oldest = oldest ? std::min(*oldest, first) : first;
    }
    if (oldest) *oldest += clock_.wall_us() - clock_.boot_us();
    return oldest;
}

}  // namespace holdfast
