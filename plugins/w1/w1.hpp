// The `w1` input: all thermometers on the 1-Wire buses, once an interval.
//
// A conversion takes up to three quarters of a second, during which a read of the kernel's file blocks. So a
// round over all thermometers is taken in several calls, each about a second long at most, and the host can
// do its other duties between them. Where the agent may start a conversion of a whole bus, the thermometers
// of that bus are seen at the same time and in one reading; else each is a reading of its own, at its own
// time.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>

#include <holdfast/plugin.hpp>

#include "bus.hpp"
#include "shared/sensors/sensor_files.hpp"

namespace w1_input {

class W1 {
  public:
    static constexpr bool opens_without_device = true;
    using Clock = std::int64_t (*)();  // microseconds, monotonic

    // Throws EINVAL when `names` has an id that is none, or a name twice, or `retries` is out of range.
    explicit W1(holdfast::plugin::Host host, Clock clock = holdfast::plugin::monotonic_us);
    // Goes on with the round, or begins one. Throws ENODEV when there is no thermometer.
    int sample();

  private:
    // Something to do in this round: convert a whole bus, or read a thermometer.
    struct Job {
        enum class What { convert, read };
        What what;
        std::string bus;
        Thermometer thermometer;  // to read
        bool converted = false;   // its bus was, and it has not been read since
        int attempts = 0;
    };

    void take_names();
    bool is_wanted(const Thermometer& thermometer) const;
    std::string name_of(const std::string& id) const;

    void begin_round();
    void notice(const std::set<std::string>& present);
    void plan(const Bus& bus);
    void run(Job job);
    void convert(const Job& job);
    void read(Job job);
    void put(const Job& job, double celsius);
    void emit_converted();
    int end_round(std::int64_t call_start_us);

    holdfast::plugin::Host host_;
    Clock clock_;
    sensors::SensorFiles files_;
    std::map<std::string, std::string> names_;
    bool only_named_;
    bool bulk_read_;
    int retries_;

    std::set<std::string> present_;  // ids, as of the last round
    bool first_round_ = true;
    std::map<std::string, holdfast::plugin::Channel<double>> channels_;

    std::deque<Job> jobs_;
    std::deque<Job> again_;  // failed, to be tried once more
    std::int64_t round_start_us_ = 0;
    std::size_t round_size_ = 0;
    std::size_t emitted_ = 0;
    std::size_t failed_ = 0;
    std::int64_t converted_us_ = 0;        // when the bus in hand was
    holdfast::plugin::Reading converted_;  // what was read of it so far
    holdfast::plugin::Reading single_;
};

}  // namespace w1_input
