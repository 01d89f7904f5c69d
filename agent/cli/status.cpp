#include <poll.h>

#include "cli/command.hpp"
#include "control/control_socket.hpp"

namespace holdfast::cli {

int status(const Arguments& arguments) {
    for (;;) {
        auto answer =
            ask_agent(arguments.places.control_socket(), arguments.json ? "status json" : "status text");
        if (!answer) return complain(answer.error());
        if (arguments.json) *answer += '\n';
        if (arguments.watch && !arguments.json) answer->insert(0, "\x1b[H\x1b[2J");
        if (!print(*answer)) return failed;
        if (!arguments.watch) return done;
        ::poll(nullptr, 0, 1000);
    }
}

}  // namespace holdfast::cli
