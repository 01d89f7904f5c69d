// holdfast buffer: what the buffer holds, with the agent running or not.
#include "buffer/buffer.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "buffer/sqlite.hpp"
#include "cli/buffer_file.hpp"
#include "cli/command.hpp"
#include "control/control_socket.hpp"
#include "control/listing.hpp"
#include "control/status.hpp"
#include "forward/payload.hpp"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

// What the command works on: the file that was named, else the agent's own.
fs::path named_file(const Arguments& arguments) {
    return arguments.operands.size() > 1 ? fs::path(arguments.operands[1]) : own_buffer(arguments);
}

int stat_stopped(const Arguments& arguments) {
    const fs::path path = own_buffer(arguments);
    auto file = open_buffer_file(path);
    if (!file) return complain({file.error().kind, file.error().text + ", and no agent is running"});
    file->each([](Batch&) { return true; });
    BufferStatus status;
    status.batches = file->batches();
    status.readings = file->readings();
    status.committed_readings = file->readings();
    status.salvaging_readings = file->salvaging_readings();
    status.refused_messages = file->refused().batches;
    status.refused_readings = file->refused().readings;
    status.oldest_wall_us = file->oldest_wall_us();
    status.oldest_age_s = file->oldest_age_s();
    for (const char* companion : {"", "-wal"}) {
        std::error_code missing;
        const auto size = fs::file_size(path.string() + companion, missing);
        if (!missing) status.bytes += size;
    }
    const auto problems = file->problems();
    if (!problems.empty()) status.last_error = "damaged: " + problems.front();
    return print((arguments.json ? buffer_json(status) : buffer_text(status)) + "\n") ? done : failed;
}

int stat(const Arguments& arguments) {
    auto answer =
        ask_agent(arguments.places.control_socket(), arguments.json ? "buffer json" : "buffer text");
    if (!answer && answer.error().kind == Error::Kind::gone) return stat_stopped(arguments);
    if (!answer) return complain(answer.error());
    return print(arguments.json ? *answer + "\n" : *answer) ? done : failed;
}

int export_running(const Arguments& arguments) {
    bool printed = true;
    const auto listed = each_listed(arguments.places.control_socket(), [&](std::string_view line) {
        printed = print(std::string(line) + "\n");
        return printed;
    });
    if (!listed) return complain(listed.error());
    return printed ? done : failed;
}

int export_file(const Arguments& arguments) {
    if (arguments.operands.size() == 1 && held_by_agent(arguments)) return export_running(arguments);
    const LoadedConfig loaded = load_and_report(arguments.places);
    if (!loaded.config) return wrong_config;
    const fs::path path = named_file(arguments);
    auto file = open_buffer_file(path);
    if (!file) return complain(file.error());
    PayloadEncoder encoder({loaded.config->agent.id, file->epoch(), loaded.config->batch.timestamp_unit});
    bool printed = true;
    std::uint64_t undecodable = 0;
    file->each([&](Batch& batch) {
        const auto payload = encoder.encode(batch);
        if (payload)
            printed = print(payload->json + "\n");
        else
            undecodable += 1;
        return printed;
    });
    if (!printed) return failed;
    auto problems = file->problems();
    if (undecodable > 0)
        problems.push_back(std::to_string(undecodable) + " batches can't be decoded and are left out");
    say_problems(path, problems);
    return done;
}

int check_file(const Arguments& arguments) {
    if (arguments.operands.size() == 1)
        if (const auto held = held_by_agent(arguments)) return complain(*held);
    const fs::path path = named_file(arguments);
    auto file = open_buffer_file(path);
    if (!file) return complain(file.error());
    PayloadEncoder encoder({});
    std::uint64_t undecodable = 0;
    file->each([&](Batch& batch) {
        undecodable += encoder.encode(batch) ? 0 : 1;
        return true;
    });
    auto problems = file->problems();
    if (undecodable > 0) problems.push_back(std::to_string(undecodable) + " batches can't be decoded");
    const auto verdict = quick_check(path);
    if (!verdict && verdict.error().text.find("locked") != std::string::npos)
        return complain({Error::Kind::retry, path.native() + ": an agent that runs holds it: stop it first"});
    if (!verdict)
        problems.push_back("SQLite: " + verdict.error().text);
    else
        for (const std::string& line : *verdict)
            problems.push_back("SQLite: " + line);
    say_problems(path, problems);
    const std::string found = std::to_string(file->readings()) + " readings in " +
                              std::to_string(file->batches()) + " sound batches";
    if (!print(path.native() + (problems.empty() ? ": sound, " : ": damaged, ") + found + "\n"))
        return failed;
    return problems.empty() ? done : failed;
}

// Seqs of messages that the buffer holds, in the epoch of the file: they are not to come twice.
std::unordered_set<std::uint64_t> held_messages(const fs::path& buffer, std::uint64_t epoch) {
    std::unordered_set<std::uint64_t> seqs;
    auto file = BufferFile::open(buffer);
    if (!file || file->epoch() != epoch) return seqs;
    file->each([&](Batch& batch) {
        seqs.insert(seq_of_message(batch.header));
        return true;
    });
    return seqs;
}

// A message keeps its id when the file is of the same epoch, so that a consumer knows it if it was sent.
int salvage_file(const Arguments& arguments) {
    if (const auto held = held_by_agent(arguments)) return complain(*held);
    const LoadedConfig loaded = load_and_report(arguments.places);
    if (!loaded.config) return wrong_config;
    const fs::path path = named_file(arguments);
    std::error_code missing;
    if (fs::equivalent(path, own_buffer(arguments), missing))
        return complain({Error::Kind::config, path.native() + " is the agent's buffer itself"});
    auto file = open_buffer_file(path);
    if (!file) return complain(file.error());
    become_owner(fs::exists(own_buffer(arguments), missing) ? own_buffer(arguments)
                                                            : arguments.places.state_directory);
    const auto held = held_messages(own_buffer(arguments), file->epoch());
    const SystemClock clock;
    StderrLog log(StderrLog::Style::plain);
    BufferConfig config = loaded.config->buffer;
    if (config.when_full == WhenFull::block)
        config.when_full = WhenFull::drop_newest;  // nobody makes room now
    auto buffer = Buffer::open(arguments.places.state_directory, config, clock, log);
    if (!buffer) return complain(buffer.error());
    const bool same_epoch = (*buffer)->epoch() == file->epoch();
    std::uint64_t saved = 0;
    std::uint64_t there = 0;
    file->each([&](Batch& batch) {
        if (held.contains(seq_of_message(batch.header))) {
            there += readings_held(batch.header);
            return true;
        }
        batch.header.message_seq = same_epoch ? seq_of_message(batch.header) : 0;
        saved += readings_held(batch.header);
        (*buffer)->append(std::move(batch));
        return true;
    });
    const auto closed = (*buffer)->close();
    if (!closed) return complain(closed.error());
    std::string text = "saved " + std::to_string(saved) + " readings from " + path.native();
    if (there > 0) text += ", " + std::to_string(there) + " were in the buffer already";
    if (const auto dropped = (*buffer)->status().dropped_readings; dropped > 0)
        text += ", " + std::to_string(dropped) + " had to be dropped since the buffer is full";
    say_problems(path, file->problems());
    return print(text + "\n") ? done : failed;
}

bool confirmed(const Arguments& arguments, const std::string& readings) {
    if (arguments.yes) return true;
    if (::isatty(STDIN_FILENO) == 0) return false;
    std::fprintf(stderr, "Delete %s readings that were not sent? [y/N] ", readings.c_str());
    const int answer = std::getchar();
    return answer == 'y' || answer == 'Y';
}

int refuse_to_purge(const std::string& what) {
    std::fprintf(stderr, "holdfast: nothing is deleted; say --yes to delete %s readings\n", what.c_str());
    return wrong_usage;
}

// What the agent holds and has not lent to the broker's messages in flight.
int purge_running(const Arguments& arguments) {
    if (!confirmed(arguments, "the")) return refuse_to_purge("the");
    const auto purged = purge_agent(arguments.places.control_socket());
    if (!purged) return complain(purged.error());
    return print(*purged + " readings deleted\n") ? done : failed;
}

// A buffer that can't be read is purged as well: nobody needs it any more.
int purge(const Arguments& arguments) {
    if (held_by_agent(arguments)) return purge_running(arguments);
    const fs::path path = own_buffer(arguments);
    auto file = open_buffer_file(path);
    if (!file) return complain(file.error());
    file->each([](Batch&) { return true; });
    const std::string readings = std::to_string(file->readings());
    if (!confirmed(arguments, readings)) return refuse_to_purge(readings);
    // Not only somebody's word that no agent runs: one may have started meanwhile, or be about to stop.
    const auto alone = lock_alone(path);
    if (!alone) return complain(alone.error());
    for (const char* companion : {"", "-wal", "-journal", ".fresh", ".fresh-wal"}) {
        std::error_code failure;
        fs::remove(path.string() + companion, failure);
        if (failure)
            return complain(system_error(Error::Kind::retry, "cannot delete " + path.string() + companion,
                                         failure.value()));
    }
    return print(std::to_string(file->readings()) + " readings deleted\n") ? done : failed;
}

struct Subcommand {
    std::string_view name;
    std::size_t least_operands;
    std::size_t most_operands;
    int (*run)(const Arguments& arguments);
};
constexpr std::array subcommands = {
    Subcommand{"stat", 0, 0, stat},        Subcommand{"export", 0, 1, export_file},
    Subcommand{"check", 0, 1, check_file}, Subcommand{"salvage", 1, 1, salvage_file},
    Subcommand{"purge", 0, 0, purge},      Subcommand{"refused", 0, 100'000, buffer_refused},
};

}  // namespace

int buffer(const Arguments& arguments) {
    const std::size_t operands = arguments.operands.empty() ? 0 : arguments.operands.size() - 1;
    for (const Subcommand& sub : subcommands)
        if (!arguments.operands.empty() && sub.name == arguments.operands.front() &&
            operands >= sub.least_operands && operands <= sub.most_operands)
            return sub.run(arguments);
    std::fprintf(stderr,
                 "usage: holdfast buffer stat [--json]\n"
                 "       holdfast buffer export [FILE]\n"
                 "       holdfast buffer check [FILE]\n"
                 "       holdfast buffer salvage FILE\n"
                 "       holdfast buffer purge [--yes]\n"
                 "       holdfast buffer refused list|show|retry|drop\n");
    return wrong_usage;
}

}  // namespace holdfast::cli
