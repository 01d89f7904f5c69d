// Which rows of the buffer can be replaced by a coarser one, and by which. Passive; the rows stay as they
// are.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "model/batch.hpp"

namespace holdfast {

struct Coarser {
    std::vector<BatchHeader> replaced;  // in order
    // At least one and no more than were replaced; seq, message_seq and arrived_s are the caller's to fill
    // in.
    std::vector<Batch> batches;
};

struct Thinned {
    std::vector<Coarser> coarser;
    bool limited = false;  // a coarser step than allowed might make more of them smaller
};

// The coarsest step that rows of which this is the newest may get; none: the next one at which readings meet.
using MostStep = std::function<std::optional<std::chrono::seconds>(const BatchHeader& newest)>;

// Of rows in order of seq: those of an input that follow each other and are alike are merged. Rows that would
// not become smaller, and damaged ones, are in no answer.
Thinned make_coarser(std::vector<Batch> rows, const MostStep& most);

}  // namespace holdfast
