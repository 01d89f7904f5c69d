// Processes by name: how many there are, and what they take. /proc/<id>/stat, and cmdline for long names.
#include <unistd.h>

#include <algorithm>
#include <map>

#include "source.hpp"

namespace system_input {

namespace {

// proc_pid_stat(5): the kernel keeps this much of a program's name (TASK_COMM_LEN less the end).
constexpr std::size_t kept_of_name = 15;

struct Process {
    std::string name;
    std::uint64_t ticks = 0;  // of processor time, in user and in kernel mode
    std::uint64_t start = 0;  // tells it from a later one with the same id
    std::int64_t pages = 0;   // resident
};

// "1234 (name) S 1 ...": the name may hold blanks and parentheses. None for one that has ended and only waits
// for its parent to look.
std::optional<Process> parse_stat(std::string_view text) {
    const std::size_t begin = text.find('(');
    const std::size_t end = text.rfind(')');
    if (begin == std::string_view::npos || end == std::string_view::npos || end <= begin) return std::nullopt;
    Process process;
    process.name = text.substr(begin + 1, end - begin - 1);
    text.remove_prefix(end + 1);
    const std::string_view state = take_word(text);
    if (state.empty() || state == "Z" || state == "X") return std::nullopt;
    // Fields as proc_pid_stat(5) numbers them; the state is the third.
    constexpr int user_ticks = 14, system_ticks = 15, start = 22, resident = 24;
    for (int field = 4; field <= resident; ++field) {
        const std::string_view word = take_word(text);
        if (field != user_ticks && field != system_ticks && field != start && field != resident) continue;
        const auto number = to_number<std::int64_t>(word);
        if (!number || *number < 0) return std::nullopt;
        if (field == start)
            process.start = static_cast<std::uint64_t>(*number);
        else if (field == resident)
            process.pages = *number;
        else
            process.ticks += static_cast<std::uint64_t>(*number);
    }
    return process;
}

// The last part of the program's path, where the kernel's name is its beginning: that was cut off.
std::string whole_name(SensorFiles& files, std::string_view id, std::string name) {
    if (name.size() < kept_of_name) return name;
    std::string_view command = files.read({"/proc/", id, "/cmdline"}).value_or("");
    while (!command.empty()) {
        // A script's own name stands behind that of its interpreter.
        const std::string_view argument = take_until(command, '\0');
        const std::string_view last = argument.substr(argument.rfind('/') + 1);
        if (last.starts_with(name)) return std::string(last);
    }
    return name;
}

class Processes final : public Source {
  public:
    explicit Processes(const std::vector<std::string>& names) {
        UniqueNames unique;
        for (const std::string& name : names) {
            std::string word = name;
            std::erase_if(word, [](char c) { return c == '*' || c == '?'; });
            if (word.empty() || word.starts_with('!'))
                holdfast::plugin::fail(EINVAL, "processes: '" + name + "' is not the name of a program");
            watched_.push_back({sensors::Patterns("processes", {name}), unique.make(word), {}});
        }
    }

  private:
    struct Sum {
        std::int64_t count = 0;
        std::uint64_t ticks = 0;
        std::int64_t pages = 0;
    };
    struct Watched {
        sensors::Patterns pattern;
        std::string word;
        Sum sum;
    };
    struct Seen {
        std::uint64_t start = 0;
        std::uint64_t ticks = 0;
    };

    void sample(SensorFiles& files, double elapsed_s, Values& values) override {
        // Process 1 is always there, and its directory is not where others' processes are hidden.
        hidden_ = !files.exists({"/proc/1"});
        if (hidden_) return;
        for (Watched& watched : watched_)
            watched.sum = {};
        std::map<std::string, Seen, std::less<>> now;
        for (const std::string& id : files.list("/proc", ""))
            if (id.find_first_not_of("0123456789") == std::string::npos) add(files, id, now);
        before_ = std::move(now);
        for (const Watched& watched : watched_)
            put(watched, elapsed_s, values);
    }

    void add(SensorFiles& files, const std::string& id, std::map<std::string, Seen, std::less<>>& now) {
        const auto text = files.read({"/proc/", id, "/stat"});
        auto process = text ? parse_stat(*text) : std::nullopt;
        if (!process) return;
        process->name = whole_name(files, id, std::move(process->name));
        for (Watched& watched : watched_) {
            if (!watched.pattern.select({process->name})) continue;
            ++watched.sum.count;
            watched.sum.pages += process->pages;
            watched.sum.ticks += growth(id, *process);
            now[id] = {process->start, process->ticks};
        }
    }

    // What it took since the sample before; of a process that is new, that is not known.
    std::uint64_t growth(const std::string& id, const Process& process) const {
        const auto seen = before_.find(id);
        if (seen == before_.end() || seen->second.start != process.start) return 0;
        return process.ticks - std::min(process.ticks, seen->second.ticks);
    }

    void put(const Watched& watched, double elapsed_s, Values& values) const {
        values.set({"process.", watched.word, ".count"}, "", watched.sum.count);
        values.set({"process.", watched.word, ".memory"}, "By", watched.sum.pages * page_bytes_);
        if (elapsed_s <= 0) return;
        const double busy_s = static_cast<double>(watched.sum.ticks) / ticks_per_s_;
        values.set({"process.", watched.word, ".cpu"}, "%", 100 * busy_s / elapsed_s);
    }

    std::string trouble() const override {
        if (!hidden_) return {};
        return "processes: those of other users are hidden from the agent; ProtectProc=default in a drop-in "
               "of its "
               "service shows them";
    }

    std::vector<Watched> watched_;
    std::map<std::string, Seen, std::less<>> before_;
    bool hidden_ = false;
    std::int64_t page_bytes_ = ::sysconf(_SC_PAGESIZE);
    double ticks_per_s_ = static_cast<double>(::sysconf(_SC_CLK_TCK));
};

}  // namespace

std::unique_ptr<Source> make_processes(const std::vector<std::string>& names) {
    return std::make_unique<Processes>(names);
}

}  // namespace system_input
