#include "forward/refusals.hpp"

#include "base/journal_id.hpp"

namespace holdfast {
namespace {

constexpr std::chrono::hours silence{1};
// Inputs come from the configuration, but the backlog may name many that are no longer in it.
constexpr std::size_t most_inputs = 1'000;

}  // namespace

void Refusals::add(const std::string& input, std::uint64_t readings, const std::string& why, MonoTime now) {
    if (episodes_.size() >= most_inputs && !episodes_.contains(input)) episodes_.clear();
    const auto [at, first] = episodes_.try_emplace(input);
    Episode& episode = at->second;
    ++episode.messages;
    episode.readings += readings;
    if (!first && now - episode.logged_at < silence) return;
    log_.warning("set aside " + std::to_string(episode.messages) + " message(s) with " +
                     std::to_string(episode.readings) + " reading(s): " + why,
                 {{"INPUT", input}, journal_id::messages_refused});
    episode = {0, 0, now};
}

}  // namespace holdfast
