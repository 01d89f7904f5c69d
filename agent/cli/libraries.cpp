#include "base/version.hpp"
#include "cli/command.hpp"

namespace holdfast::cli {

int show_version(const Arguments&) {
    return print("holdfast " + std::string(version) + "\n" HOLDFAST_LIBRARIES "\n") ? done : failed;
}

}  // namespace holdfast::cli
