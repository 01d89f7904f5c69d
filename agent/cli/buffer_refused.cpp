// holdfast buffer refused: the messages that the broker would not take, with the agent running or not.
#include "buffer/buffer.hpp"

#include <algorithm>

#include "cli/buffer_file.hpp"
#include "cli/command.hpp"
#include "control/refused.hpp"

namespace holdfast::cli {
namespace {

Shown shown_by(const Arguments& arguments) {
    return arguments.json ? Shown::json : Shown::text;
}

std::vector<std::string> ids_of(const Arguments& arguments) {
    return {arguments.operands.begin() + 2, arguments.operands.end()};
}

// Those of the agent's own file, which nobody has open; until `take` returns false. Says what is wrong with
// it when it looked at all.
Result<void> each_in_file(const Arguments& arguments, const Config& config,
                          const std::function<bool(const RefusedMessage&, const PayloadIdentity&)>& take) {
    auto file = open_buffer_file(own_buffer(arguments));
    if (!file) return file.error();
    const PayloadIdentity identity{config.agent.id, file->epoch(), config.batch.timestamp_unit};
    bool go_on = true;
    file->each([&](Batch& batch) {
        const auto refusal = file->refusals().find(batch.header.seq);
        if (refusal != file->refusals().end()) go_on = take({std::move(batch), refusal->second}, identity);
        return go_on;
    });
    if (go_on) say_problems(own_buffer(arguments), file->problems());
    return {};
}

int list(const Arguments& arguments) {
    bool printed = true;
    Result<void> listed;
    if (held_by_agent(arguments)) {
        listed =
            each_refused(arguments.places.control_socket(), shown_by(arguments), [&](std::string_view line) {
                printed = print(std::string(line) + "\n");
                return printed;
            });
    } else {
        const LoadedConfig loaded = load_and_report(arguments.places);
        if (!loaded.config) return wrong_config;
        listed = each_in_file(arguments, *loaded.config,
                              [&](const RefusedMessage& message, const PayloadIdentity& identity) {
                                  printed = print(refused_line(message, identity, shown_by(arguments)));
                                  return printed;
                              });
    }
    if (!listed) return complain(listed.error());
    return printed ? done : failed;
}

int show(const Arguments& arguments) {
    const std::string id = arguments.operands[2];
    Result<std::string> text = not_set_aside(id);
    if (held_by_agent(arguments)) {
        text = show_refused(arguments.places.control_socket(), shown_by(arguments), id);
    } else {
        const LoadedConfig loaded = load_and_report(arguments.places);
        if (!loaded.config) return wrong_config;
        const auto looked = each_in_file(
            arguments, *loaded.config, [&](const RefusedMessage& message, const PayloadIdentity& identity) {
                if (message_id(identity.epoch, seq_of_message(message.batch.header)) != id) return true;
                text = refused_whole(message, identity, shown_by(arguments));
                return false;
            });
        if (!looked) text = looked.error();
    }
    if (!text) return complain(text.error());
    return print(*text) ? done : failed;
}

Result<Totals> settle_in_file(const Arguments& arguments, const Config& config, RefusedVerdict verdict) {
    const auto file = open_buffer_file(own_buffer(arguments));
    if (!file) return file.error();
    std::vector<std::uint64_t> messages;
    for (const std::string& id : ids_of(arguments)) {
        const auto message = parse_message_id(id, file->epoch());
        if (!message) return not_set_aside(id);
        messages.push_back(*message);
    }
    become_owner(own_buffer(arguments));
    const SystemClock clock;
    StderrLog log(StderrLog::Style::plain);
    auto buffer = Buffer::open(arguments.places.state_directory, config.buffer, clock, log);
    if (!buffer) return buffer.error();
    auto settled = (*buffer)->settle_refused(verdict, messages);
    const auto closed = (*buffer)->close();
    // What could not be done says why; that it can't be closed cleanly either follows from it.
    if (settled && !closed) return closed.error();
    return settled;
}

int settle(const Arguments& arguments, RefusedVerdict verdict) {
    if (arguments.all == !ids_of(arguments).empty()) {
        std::fprintf(stderr, "holdfast: name the messages by their ids, or say --all\n");
        return wrong_usage;
    }
    for (const std::string& id : ids_of(arguments))
        if (!is_message_id(id)) {
            std::fprintf(stderr, "holdfast: \"%s\" is no id of a message\n", id.c_str());
            return wrong_usage;
        }
    Result<Totals> settled = Totals{};
    if (held_by_agent(arguments)) {
        settled = settle_refused(arguments.places.control_socket(), verdict, ids_of(arguments));
    } else {
        const LoadedConfig loaded = load_and_report(arguments.places);
        if (!loaded.config) return wrong_config;
        settled = settle_in_file(arguments, *loaded.config, verdict);
    }
    if (!settled) return complain(settled.error());
    const char* what = verdict == RefusedVerdict::retry ? " will be sent again\n" : " are dropped\n";
    return print(std::to_string(settled->batches) + " messages with " + std::to_string(settled->readings) +
                 " readings" + what)
               ? done
               : failed;
}

}  // namespace

int buffer_refused(const Arguments& arguments) {
    const std::string verb = arguments.operands.size() > 1 ? arguments.operands[1] : "";
    const std::size_t ids = arguments.operands.size() > 2 ? arguments.operands.size() - 2 : 0;
    if (verb == "list" && ids == 0) return list(arguments);
    if (verb == "show" && ids == 1) return show(arguments);
    if (verb == "retry") return settle(arguments, RefusedVerdict::retry);
    if (verb == "drop") return settle(arguments, RefusedVerdict::drop);
    std::fprintf(stderr,
                 "usage: holdfast buffer refused list [--json]\n"
                 "       holdfast buffer refused show [--json] ID\n"
                 "       holdfast buffer refused retry ID...|--all\n"
                 "       holdfast buffer refused drop ID...|--all\n");
    return wrong_usage;
}

}  // namespace holdfast::cli
