// Writes windows as batches of thinned readings. Passive; lives for one call of thin().
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/bytes.hpp"
#include "model/batch.hpp"
#include "model/thinned_windows.hpp"

namespace holdfast::thinning {

class Output {
  public:
    // `like`: what the headers of the batches have in common. `tags`: of the batches.
    Output(const BatchHeader& like, const std::vector<TagView>& tags, std::chrono::seconds step,
           Bytes most_message);

    // Writes all windows; ends the open batch, because the next windows may have other sources.
    void write(const Windows& windows);

    const std::vector<Batch>& batches() const { return batches_; }
    std::vector<Batch> take() { return std::move(batches_); }

  private:
    void name_groups(const std::vector<Source>& sources);
    void write_window(const Windows& windows, const Window& window);
    void put_group(const Windows& windows, const Cell& cell, std::vector<Value>& group) const;
    void define_group(const Source& source, std::uint32_t number);
    void begin_batch();
    void end_reading(const Windows& windows, const Window& window);
    void end_batch();

    BatchHeader like_;
    std::string head_;
    std::size_t envelope_bytes_;
    std::size_t most_message_;
    std::vector<Batch> batches_;

    std::vector<std::vector<std::string>> names_;  // of each source's group
    // The open batch.
    BatchHeader header_;
    ReadingWriter writer_;
    std::vector<std::uint32_t>
        channel_of_;  // by source, the first of its group; `undefined` until it is used
    std::size_t message_bytes_ = 0;
    // The open reading.
    std::vector<Value> values_;
    std::size_t text_bytes_ = 0;
};

}  // namespace holdfast::thinning
