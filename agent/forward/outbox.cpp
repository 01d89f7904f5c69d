#include "forward/outbox.hpp"

#include <algorithm>
#include <utility>

namespace holdfast {

std::optional<Outbox::Item> Outbox::next() {
    if (!again_.empty()) return std::move(again_.extract(again_.begin()).mapped());
    if (ready_.empty()) return std::nullopt;
    Item item{std::move(ready_.front())};
    ready_.pop_front();
    return item;
}

std::optional<Outbox::Item> Outbox::answered(DeliveryToken token) {
    auto node = sent_.extract(token);
    if (node.empty()) return std::nullopt;
    return std::move(node.mapped());
}

std::optional<Outbox::Item> Outbox::take_largest() {
    const auto largest = std::max_element(sent_.begin(), sent_.end(), [](const auto& a, const auto& b) {
        return a.second.bytes < b.second.bytes;
    });
    if (largest == sent_.end()) return std::nullopt;
    return std::move(sent_.extract(largest).mapped());
}

void Outbox::again(Item item) {
    const std::uint64_t seq = item.batch.header.seq;
    again_.emplace(seq, std::move(item));
}

void Outbox::release(MonoTime now) {
    while (!later_.empty() && later_.begin()->first <= now)
        again(std::move(later_.extract(later_.begin()).mapped()));
}

std::optional<MonoTime> Outbox::next_release() const {
    if (later_.empty()) return std::nullopt;
    return later_.begin()->first;
}

void Outbox::link_lost() {
    for (auto it = sent_.begin(); it != sent_.end();) {
        const auto here = it++;
        if (here->second.qos == 0) again(std::move(sent_.extract(here).mapped()));
    }
}

std::vector<std::uint64_t> Outbox::take_ready() {
    std::vector<std::uint64_t> seqs;
    for (const Batch& batch : std::exchange(ready_, {}))
        seqs.push_back(batch.header.seq);
    return seqs;
}

std::vector<std::uint64_t> Outbox::take_all() {
    std::vector<std::uint64_t> seqs;
    for (const auto& [token, item] : std::exchange(sent_, {}))
        seqs.push_back(item.batch.header.seq);
    for (const auto& [seq, item] : std::exchange(again_, {}))
        seqs.push_back(seq);
    for (const auto& [due, item] : std::exchange(later_, {}))
        seqs.push_back(item.batch.header.seq);
    for (const std::uint64_t seq : take_ready())
        seqs.push_back(seq);
    return seqs;
}

}  // namespace holdfast
