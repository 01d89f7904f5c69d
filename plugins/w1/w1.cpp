#include "w1.hpp"

#include <errno.h>
#include <string.h>

#include <algorithm>
#include <utility>

#include "answer.hpp"

namespace w1_input {

namespace plugin = holdfast::plugin;

namespace {

constexpr std::int64_t longest_call_us = 1'000'000;
constexpr std::int64_t retry_wait_us = 100'000;
constexpr std::int64_t most_retries = 10;

std::string seconds(std::int64_t us) {
    return std::to_string(us / 1'000'000) + "." + std::to_string(us / 100'000 % 10) + " s";
}

}  // namespace

W1::W1(plugin::Host host, Clock clock)
    : host_(host),
      clock_(clock),
      files_(host.sensor_root()),
      only_named_(host.boolean("only_named")),
      bulk_read_(host.boolean("bulk_read")),
      retries_(static_cast<int>(std::clamp<std::int64_t>(host.integer("retries"), -1, most_retries + 1))) {
    if (retries_ < 0 || retries_ > most_retries) plugin::fail(EINVAL, "retries: not from 0 to 10");
    take_names();
}

void W1::take_names() {
    std::set<std::string> taken;
    for (auto [id, name] : host_.map("names")) {
        std::transform(id.begin(), id.end(), id.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
        if (!is_thermometer_id(id))
            plugin::fail(EINVAL, "names: '" + id + "' is no id of a thermometer, such as 28-000005e2fdc3");
        if (names_.count(id) > 0) plugin::fail(EINVAL, "names: " + id + " stands twice");
        if (name.empty() || is_thermometer_id(name) || !taken.insert(name).second)
            plugin::fail(EINVAL, "names: '" + name + "' of " + id + " is empty, an id, or stands twice");
        channels_[id] = host_.channel<double>("temperature." + name, "Cel");
        names_[std::move(id)] = name;
    }
    if (only_named_ && names_.empty()) plugin::fail(EINVAL, "only_named: `names` names none");
}

bool W1::is_wanted(const Thermometer& thermometer) const {
    return !only_named_ || names_.count(thermometer.id) > 0;
}

std::string W1::name_of(const std::string& id) const {
    const auto named = names_.find(id);
    return named == names_.end() ? id : id + " (" + named->second + ")";
}

int W1::sample() {
    const std::int64_t call_start_us = clock_();
    if (jobs_.empty()) jobs_.swap(again_);
    if (jobs_.empty()) {
        round_start_us_ = call_start_us;
        begin_round();
    }
    while (!jobs_.empty()) {
        if (clock_() - call_start_us >= longest_call_us) {
            emit_converted();
            host_.sample_after(0);
            return 0;
        }
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        run(std::move(job));
    }
    emit_converted();
    if (again_.empty()) return end_round(call_start_us);
    host_.sample_after(clock_() - call_start_us + retry_wait_us);
    return 0;
}

void W1::begin_round() {
    emitted_ = failed_ = 0;
    const auto buses = find_buses(files_);
    std::set<std::string> present;
    for (const Bus& bus : buses)
        for (const Thermometer& thermometer : bus.thermometers)
            if (is_wanted(thermometer)) present.insert(thermometer.id);
    notice(present);
    if (present.empty())
        plugin::fail(ENODEV, std::string("there is no ") + (only_named_ ? "named " : "") +
                                 "thermometer below " + files_.path({"/sys/bus/w1/devices"}) +
                                 ": is a 1-Wire bus set up, and w1_therm loaded?");
    for (const Bus& bus : buses)
        plan(bus);
    round_size_ = present.size();
}

void W1::notice(const std::set<std::string>& present) {
    for (const auto& [id, name] : names_)
        if (present.count(id) == 0) host_.error(name_of(id) + ": is not on the bus");
    if (!std::exchange(first_round_, false)) {
        for (const std::string& id : present)
            if (present_.count(id) == 0) host_.log(HOLDFAST_LOG_INFO, name_of(id) + ": a new thermometer");
        for (const std::string& id : present_)
            if (present.count(id) == 0)
                host_.log(HOLDFAST_LOG_INFO, name_of(id) + ": the thermometer is gone");
    }
    present_ = present;
}

void W1::plan(const Bus& bus) {
    std::deque<Job> in_bulk;
    std::deque<Job> by_themselves;
    for (const Thermometer& thermometer : bus.thermometers)
        if (is_wanted(thermometer))
            (thermometer.converts_in_bulk() ? in_bulk : by_themselves)
                .push_back({Job::What::read, bus.directory, thermometer});
    if (bulk_read_ && in_bulk.size() > 1 && !bus.directory.empty())
        jobs_.push_back({Job::What::convert, bus.directory, {}});
    jobs_.insert(jobs_.end(), in_bulk.begin(), in_bulk.end());
    jobs_.insert(jobs_.end(), by_themselves.begin(), by_themselves.end());
}

void W1::run(Job job) {
    if (job.what == Job::What::convert)
        convert(job);
    else
        read(std::move(job));
}

// Blocks until all thermometers of the bus have converted.
void W1::convert(const Job& job) {
    emit_converted();
    // w1_therm takes the word with a newline only.
    const int error = files_.write({job.bus, "/therm_bulk_read"}, "trigger\n");
    if (error == 0) {
        // The write does not tell when the kernel could not start it; then nothing is waiting to be read.
        const auto waiting = files_.read_word({job.bus, "/therm_bulk_read"});
        if (!waiting || waiting->empty() || *waiting == "0") return;
        converted_us_ = clock_();
        for (Job& other : jobs_)
            other.converted = other.bus == job.bus && other.thermometer.converts_in_bulk();
        return;
    }
    if (error != EACCES && error != EROFS && error != EPERM && error != ENOENT)
        return host_.error(files_.path({job.bus, "/therm_bulk_read"}) + ": " + ::strerror(error));
    // A kernel before 5.8 does not have it, and most agents may not write it: no reason to ask again.
    bulk_read_ = false;
    if (error != ENOENT)
        host_.log(HOLDFAST_LOG_INFO, "thermometers are read one after the other, as " +
                                         files_.path({job.bus, "/therm_bulk_read"}) +
                                         " can't be written: " + ::strerror(error));
}

void W1::read(Job job) {
    if (!job.converted) emit_converted();
    const std::string& id = job.thermometer.id;
    Answer answer;
    if (const auto text = files_.read({job.thermometer.directory, "/w1_slave"}))
        answer = parse_w1_slave(*text, id);
    else if (files_.error() != ENOENT)
        answer.failure = ::strerror(files_.error());
    else if (const auto number = files_.read({job.thermometer.directory, "/temperature"}))
        answer = parse_temperature(*number, id);
    else
        answer.failure = files_.exists({job.thermometer.directory})
                             ? "has neither w1_slave nor temperature: is w1_therm loaded?"
                             : "went away while the others were read";
    if (answer.celsius) return put(job, *answer.celsius);
    // By now what the bus converted is used up: the next read converts anew.
    job.converted = false;
    if (++job.attempts <= retries_) return again_.push_back(std::move(job));
    ++failed_;
    host_.error(name_of(id) + ": " + answer.failure);
}

void W1::put(const Job& job, double celsius) {
    const std::string& id = job.thermometer.id;
    const auto known = channels_.find(id);
    const auto channel =
        known != channels_.end() ? known->second : host_.channel<double>("temperature." + id, "Cel");
    channels_[id] = channel;
    ++emitted_;
    if (job.converted) return converted_.set(channel, celsius);
    single_.clear();
    single_.set(channel, celsius);
    host_.emit(single_);
}

void W1::emit_converted() {
    if (converted_.empty()) return;
    converted_.seen_ago(std::max<std::int64_t>(clock_() - converted_us_, 0));
    host_.emit(converted_);
    converted_.clear();
}

int W1::end_round(std::int64_t call_start_us) {
    if (emitted_ == 0) return -EIO;
    // A round of one call is in the host's own schedule, which counts what it misses.
    if (round_start_us_ == call_start_us) return 0;
    const std::int64_t interval_us = std::max<std::int64_t>(host_.interval_us(), 1);
    const std::int64_t took_us = clock_() - round_start_us_;
    const std::int64_t missed = took_us / interval_us;
    if (missed > 0)
        host_.error("missed " + std::to_string(missed) + " samples: reading " + std::to_string(round_size_) +
                    " thermometers took " + seconds(took_us) + ", with an interval of " +
                    seconds(interval_us) + "; make it longer, or let the agent write therm_bulk_read");
    host_.sample_after(round_start_us_ + (missed + 1) * interval_us - call_start_us);
    return 0;
}

}  // namespace w1_input
