// The gap records that still grow: what was dropped, by input and reason, until the record is sent. Passive;
// belongs to the buffer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "model/batch.hpp"

namespace holdfast {

class GapLedger {
  public:
    struct Gap {
        Batch batch;
        bool stored = false;  // a row with this seq is on disk
        bool changed = true;  // and it says something else
    };
    using Key = std::pair<std::string, GapReason>;

    // Adds a batch that was dropped to its input's record; one that is itself a gap record goes on under its
    // own reason. `new_seq` gives the seq of a new record.
    template <typename NewSeq>
    void add(const BatchHeader& dropped, std::string_view body, GapReason reason, NewSeq new_seq) {
        const auto decoded = decode_body(dropped.kind, body);
        if (dropped.kind == BatchKind::gap && decoded) reason = decoded->reason;
        auto [place, fresh] = gaps_.try_emplace(Key{dropped.input, reason});
        if (fresh) place->second.batch.header.seq = new_seq();
        extend(place->second, dropped, decoded ? tags_of(*decoded) : Tags{}, reason);
    }

    std::map<Key, Gap>& gaps() { return gaps_; }
    const std::map<Key, Gap>& gaps() const { return gaps_; }
    bool has(std::uint64_t seq) const;
    bool changed() const;

  private:
    static Tags tags_of(const BatchBody& body);
    static void extend(Gap& gap, const BatchHeader& dropped, const Tags& tags, GapReason reason);

    std::map<Key, Gap> gaps_;
};

}  // namespace holdfast
