#include "cli/service_user.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace holdfast::cli {

void become_service_user() {
    constexpr const char* name = "holdfast";  // systemd/holdfast.service.in
    if (::geteuid() != 0) return;
    const passwd* const user = ::getpwnam(name);
    if (user == nullptr || user->pw_uid == 0) return;
    const bool became =
        ::initgroups(name, user->pw_gid) == 0 && ::setgid(user->pw_gid) == 0 && ::setuid(user->pw_uid) == 0;
    if (became) return;
    std::fputs(
        "holdfast: root cannot take the rights of the user holdfast here; name the files with --config\n",
        stderr);
    std::exit(EXIT_FAILURE);  // half of it would be neither
}

}  // namespace holdfast::cli
