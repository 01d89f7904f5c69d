#include "cli/plugin_verdict.hpp"

#include <errno.h>
#include <string.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "config/options.hpp"

namespace holdfast::cli {
namespace {

using Kind = Finding::Kind;
using Rounds = std::vector<frame::Round>;

// Before this, what is made once (the C library's buffers, a table) may grow.
constexpr std::size_t warm_up_share = 4;
constexpr std::size_t fewest_rounds = 40;
// A leak is at least a block of malloc's in every second round, or as many pages.
constexpr std::uint64_t least_heap_leak = 12;
constexpr std::uint64_t least_data_leak = 512;

std::string in_bytes(std::uint64_t bytes) {
    return std::to_string(bytes) + " bytes";
}

bool is_snake_case(std::string_view key) {
    const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
    return !key.empty() && key.front() >= 'a' && key.front() <= 'z' &&
           std::all_of(key.begin(), key.end(), fits);
}

// Empty when the agent takes the default as one of its type.
std::string fault_of_default(const OptionInfo& option) {
    if (!option.default_text) return {};
    config::Report report({"default"});
    config::read_options({"plugin", {}, {}, {option}}, nullptr, {}, report);
    auto problems = std::move(report).sorted();
    return problems.empty() ? std::string() : problems.front().text;
}

std::string fault_of(const OptionInfo& option) {
    if (!is_snake_case(option.key)) return "its key is not in lower snake case";
    if (option.help.empty()) return "it has no help";
    if (!option.choices.empty() && option.type != OptionType::string) return "choices are for strings";
    const std::string fault = fault_of_default(option);
    return fault.empty() ? fault : "its default is none: " + fault;
}

bool is_documented(std::int32_t code) {
    return code == 0 || (code < 0 && ::strerrorname_np(-code) != nullptr);
}

// A counter that rose from the end of the warm-up to the middle, and from there to the end.
template <typename Number>
struct Growth {
    std::uint64_t per_round = 0;
    bool steady = false;
    Growth(const Rounds& rounds, Number number) {
        const std::size_t first = rounds.size() / warm_up_share;
        const std::size_t last = rounds.size() - 1;
        const std::uint64_t begin = rounds[first].*number;
        const std::uint64_t middle = rounds[(first + last) / 2].*number;
        const std::uint64_t end = rounds[last].*number;
        steady = begin < middle && middle < end;
        if (end > begin) per_round = (end - begin) / (last - first);
    }
};

Finding judge_memory(const Rounds& rounds) {
    const std::string what = "memory is given back";
    const Growth heap(rounds, &frame::Round::heap_bytes);
    const Growth data(rounds, &frame::Round::data_bytes);
    if (heap.steady && heap.per_round >= least_heap_leak)
        return {Kind::failed, what,
                "it leaks " + in_bytes(heap.per_round) + " a round of open, sample and close"};
    if (data.steady && data.per_round >= least_data_leak)
        return {Kind::failed, what, "its mappings grow by " + in_bytes(data.per_round) + " a round"};
    return {Kind::ok, what, "no growth over " + std::to_string(rounds.size()) + " rounds"};
}

Finding judge_descriptors(const Rounds& rounds) {
    const std::string what = "descriptors are closed";
    const std::uint32_t before = rounds[rounds.size() / warm_up_share].descriptors;
    // Not the last one's: when there are as many as there may be, they can't even be counted.
    std::uint32_t after = 0;
    for (const frame::Round& round : rounds)
        after = std::max(after, round.descriptors);
    if (after <= before) return {Kind::ok, what, "none is left open"};
    return {Kind::failed, what, std::to_string(after - before) + " more are open in the end"};
}

}  // namespace

std::string describe_code(std::int32_t code, const std::string& said) {
    if (code > 0) return "it returned " + std::to_string(code);
    const char* const name = ::strerrorname_np(-code);
    const std::string number = name == nullptr ? std::to_string(code) : std::string("-") + name;
    return number + ": " + (said.empty() ? std::string(::strerror(-code)) : said);
}

Finding judge_options(const PluginInfo& plugin) {
    Finding finding{Kind::ok, "options", std::to_string(plugin.options.size()) + ", each with type and help"};
    if (plugin.options.empty()) finding.why = "it takes none";
    std::set<std::string> keys;
    std::string faults;
    for (const OptionInfo& option : plugin.options) {
        const std::string fault = keys.insert(option.key).second ? fault_of(option) : "it is declared twice";
        if (!fault.empty()) faults += (faults.empty() ? "" : "; ") + option.key + ": " + fault;
    }
    return faults.empty() ? finding : Finding{Kind::failed, "options", faults};
}

Finding judge_codes(const Rounds& rounds) {
    const std::string what = "return values";
    for (const frame::Round& round : rounds) {
        for (const auto& [function, code] :
             {std::pair("open", round.open_code), std::pair("sample", round.sample_code)})
            if (!is_documented(code))
                return {Kind::failed, what,
                        std::string(function) + " returned " + std::to_string(code) +
                            ", which is neither 0 nor a negative errno"};
    }
    return {Kind::ok, what, "0 or a negative errno"};
}

Finding judge_emits(const Rounds& rounds) {
    const std::string what = "channels and readings";
    for (const frame::Round& round : rounds)
        if (!round.refusal.empty()) return {Kind::failed, what, "it " + round.refusal};
    return {Kind::ok, what, "all declared and sound"};
}

std::vector<Finding> judge_leaks(const Rounds& rounds) {
    if (rounds.size() < fewest_rounds)
        return {
            {Kind::skipped, "leaks", "too slow for more than " + std::to_string(rounds.size()) + " rounds"}};
    std::uint32_t threads = 0;
    for (const frame::Round& round : rounds)
        threads = std::max(threads, round.threads);
    const std::uint32_t children = rounds.back().children;
    return {judge_memory(rounds), judge_descriptors(rounds),
            threads > 1 ? Finding{Kind::failed, "no threads", "it runs in " + std::to_string(threads)}
                        : Finding{Kind::ok, "no threads", "it starts none"},
            children > 0 ? Finding{Kind::failed, "no children",
                                   std::to_string(children) + " are left after its last close"}
                         : Finding{Kind::ok, "no children", "none is left after its last close"}};
}

}  // namespace holdfast::cli
