#include "buffer/buffer.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.hpp"
#include "control/control_socket.hpp"
#include "control/status.hpp"

namespace holdfast::cli {
namespace {

// Files made here must stay the agent's: root steps down to the user that owns the buffer.
void become_owner(const std::filesystem::path& path) {
    struct stat owner {};
    if (::geteuid() != 0 || ::stat(path.c_str(), &owner) != 0 || owner.st_uid == 0) return;
    if (::setegid(owner.st_gid) != 0 || ::seteuid(owner.st_uid) != 0) ::_exit(failed);
}

int stat_stopped(const Arguments& arguments) {
    const auto path = arguments.places.state_directory / "buffer.db";
    std::error_code failure;
    if (!std::filesystem::exists(path, failure))
        return complain({Error::Kind::gone, path.native() + ": there is no buffer, and no agent is running"});
    const LoadedConfig loaded = load_and_report(arguments.places);
    if (!loaded.config) return wrong_config;
    become_owner(path);
    const SystemClock clock;
    StderrLog log(StderrLog::Style::plain);
    auto buffer = Buffer::open(arguments.places.state_directory, loaded.config->buffer, clock, log);
    if (!buffer) return complain(buffer.error());
    const BufferStatus status = (*buffer)->status();
    if (auto closed = (*buffer)->close(); !closed) return complain(closed.error());
    return print((arguments.json ? buffer_json(status) : buffer_text(status)) + "\n") ? done : failed;
}

}  // namespace

int buffer(const Arguments& arguments) {
    if (arguments.operands.size() != 1 || arguments.operands.front() != "stat") {
        std::fprintf(stderr, "usage: holdfast buffer stat [--json]\n");
        return wrong_usage;
    }
    auto answer =
        ask_agent(arguments.places.control_socket(), arguments.json ? "buffer json" : "buffer text");
    if (!answer && answer.error().kind == Error::Kind::gone) return stat_stopped(arguments);
    if (!answer) return complain(answer.error());
    return print(arguments.json ? *answer + "\n" : *answer) ? done : failed;
}

}  // namespace holdfast::cli
