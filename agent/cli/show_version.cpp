#include "base/version.hpp"
#include "buffer/buffer.hpp"
#include "cli/command.hpp"
#include "forward/paho_transport.hpp"
#include "forward/tls_policy.hpp"

namespace holdfast::cli {

int show_version(const Arguments&) {
    const std::string text = "holdfast " + std::string(version) + "\n" + paho_version() + "\n" +
                             openssl_version() + "\n" + sqlite_version() + "\n" HOLDFAST_BUILT_WITH "\n";
    return print(text) ? done : failed;
}

}  // namespace holdfast::cli
