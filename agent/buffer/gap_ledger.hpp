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
        const Key key{dropped.input, reason};
        // Before there is a record to fill: giving a seq may commit, and a commit replaces the ledger.
        const std::uint64_t seq = gaps_.contains(key) ? 0 : new_seq();
        Gap& gap = gaps_[key];
        if (gap.batch.header.seq == 0) gap.batch.header.seq = seq;
        extend(gap, dropped, decoded ? tags_of(*decoded) : Tags{}, reason);
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
