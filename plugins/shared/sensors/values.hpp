// The one reading of a sample: sources put values in by channel name; channels are declared at first sight.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/plugin.hpp>

namespace sensors {

class Values {
  public:
    using Name = std::initializer_list<std::string_view>;

    explicit Values(holdfast::plugin::Host host) : host_(host) {}

    // Begins the next sample's reading.
    void clear();
    // The name is the parts joined. A second value for the same channel within a sample is left out, as is
    // one for which the agent takes no more channels (said once in the log).
    void set(Name name, const char* unit, double value);
    void set(Name name, const char* unit, std::int64_t value);
    void set(Name name, const char* unit, bool value);
    void set(Name name, const char* unit, std::string text);
    const holdfast::plugin::Reading& reading() const { return reading_; }

  private:
    struct Known {
        std::uint32_t index = 0;
        std::uint64_t last_sample = 0;
    };

    template <typename T>
    void put(Name name, const char* unit, T value);
    template <typename T>
    Known* find_or_declare(Name name, const char* unit);

    holdfast::plugin::Host host_;
    holdfast::plugin::Reading reading_;
    std::list<std::string> texts_;  // that the reading shows
    std::map<std::string, Known, std::less<>> channels_;
    std::string name_;
    std::uint64_t sample_ = 0;
    bool full_ = false;
};

// What the kernel calls a thing, as a part of a channel's name: lower case, and '_' for all but letters,
// digits and '-'. Two things of one name within a sample get `name` and `name_2`.
class UniqueNames {
  public:
    const std::string& make(std::string_view raw);
    void clear() { taken_.clear(); }

  private:
    bool is_taken(std::string_view name) const;
    std::vector<std::string> taken_;
};

std::string channel_word(std::string_view raw);

}  // namespace sensors
