// What the host does for the plugin: the functions behind struct holdfast_host.
// Checks everything that the plugin hands over, keeps what it asks for until
// the runner looks, and passes its readings and messages on to the outlet.
//
// Owned by the runner; called on its thread, from within calls into the plugin.
#pragma once

#include <poll.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "holdfast/plugin.h"
#include "host/outlet.hpp"
#include "model/frame.hpp"

namespace holdfast::host {

class Services {
  public:
    Services(Outlet& outlet, const Clock& clock, frame::Configure configuration);
    Services(const Services&) = delete;
    Services& operator=(const Services&) = delete;

    // What open() is given.
    const holdfast_host& table() const { return table_; }
    const frame::Configure& configuration() const { return configuration_; }

    // What the plugin asked for during the last call; each is handed out once.
    std::optional<Micros> take_sample_after() { return std::exchange(sample_after_, std::nullopt); }
    bool has_finished() const { return finished_; }
    // Descriptors to poll, stable between calls into the plugin.
    const std::vector<pollfd>& watched() const { return watched_; }
    bool watches(int fd) const;
    void unwatch(int fd);
    // The plugin is closed: what it watched and asked for is void. Its channels
    // stay.
    void forget_instance();

    // From now on each error goes to the daemon at once, beside the last one of many.
    void report_each_error() { reports_each_ = true; }
    // Samples and lines that failed.
    void count_error(std::int32_t code, std::string_view text);
    std::uint64_t errors() const { return errors_; }
    // Those counted since the last time, if any.
    std::optional<frame::Failed> take_errors() { return std::exchange(unreported_, std::nullopt); }
    // The last channel or reading that was refused since the last time, if any.
    struct Refusal {
        std::int32_t code;
        const char* why;
    };
    std::optional<Refusal> take_refusal() { return std::exchange(refusal_, std::nullopt); }

  private:
    static holdfast_host make_table(Services& services);

    std::int32_t channel(const holdfast_channel* channel);
    std::int32_t emit(const holdfast_reading* reading);
    void log(std::uint32_t level, std::string_view text);
    const char* option_string(std::string_view key) const;
    std::int64_t option_i64(std::string_view key) const;
    double option_f64(std::string_view key) const;
    std::int32_t option_item(std::string_view key, std::uint32_t index, const char** key_out,
                             const char** value_out) const;
    std::int32_t watch(std::int32_t fd, std::uint32_t events);

    std::int32_t refuse(std::int32_t code, const char* why);
    const OptionValue* find_option(std::string_view key) const;
    // Fill values_ and tags_; add the most bytes they take to `size`.
    std::int32_t take_values(const holdfast_reading& reading, std::size_t& size);
    std::int32_t take_value(const holdfast_value& from, Value& to, std::size_t& size);
    std::int32_t take_tags(const holdfast_reading& reading, std::size_t& size);

    struct KnownChannel {
        ValueType type;
        std::uint64_t last_reading;  // the number of the last reading that had it
    };

    Outlet& outlet_;
    const Clock& clock_;
    frame::Configure configuration_;
    holdfast_host table_;

    std::map<std::string, std::uint32_t, std::less<>> channel_index_;
    std::vector<KnownChannel> channels_;
    std::uint64_t reading_number_ = 0;
    std::vector<Value> values_;  // of the reading in hand; kept for their storage
    std::vector<TagView> tags_;

    std::optional<Micros> sample_after_;
    bool finished_ = false;
    std::vector<pollfd> watched_;

    bool reports_each_ = false;
    std::uint64_t errors_ = 0;
    std::optional<frame::Failed> unreported_;
    std::optional<Refusal> refusal_;
};

}  // namespace holdfast::host
