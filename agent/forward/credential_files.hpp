// The files by which the agent and the broker prove who they are (CA, certificate, key, its password, and the
// passwords of the user and for the proxy): what they hold, whether that changed, and whether it is good.
//
// The connections use a copy in memory of the last good set, never the files themselves: Paho reads them anew
// at each connect, and a half-written or wrong one must not cost the link. The files are looked at, not
// watched by inotify: they may be reached by a chain of links that is switched as a whole (a mounted secret),
// or lie where inotify is silent, and a few stat() calls a second cost nothing.
//
// Passive: its owner, the forwarder thread, calls look() about once a second. It reads files and nothing
// else.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/memory_file.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "forward/tls_policy.hpp"

namespace holdfast {

// One good set. Shared with the requests made from it, for Paho reads the files when the handshake comes.
struct Credentials {
    std::string password;
    std::string proxy_password;
    TlsContents contents;
    TlsConfig tls;  // as configured, but that the paths lead to the copies
    std::vector<MemoryFile> copies;
    std::optional<CertificateDates> client;  // dates of our certificate
};

class CredentialFiles {
  public:
    struct Pace {
        // Files that are written one after the other, or in place, are left alone until they rest.
        std::chrono::milliseconds rest{2'000};
        // And so long they may be wrong before that is said: until then the rest may still come.
        std::chrono::milliseconds patience{10'000};
        // A wrong set is tried again so often: it may become good without a file being written.
        std::chrono::milliseconds retry{60'000};
    };

    explicit CredentialFiles(const BrokerConfig& config) : CredentialFiles(config, Pace{}) {}
    CredentialFiles(const BrokerConfig& config, Pace pace);

    struct Change {
        enum class Kind { none, renewed, refused } kind = Kind::none;
        std::string why;  // refused: what is wrong with the files
    };
    // Renewed: current() is another set from here on. Refused: it is the old one as before; told once for
    // each thing that is wrong. `wall_us` is held against the dates of a changed certificate.
    Change look(MonoTime now, std::int64_t wall_us);

    // Null as long as there was no good set.
    const std::shared_ptr<const Credentials>& current() const { return current_; }
    // Why the files are not used as they are now; empty: they are.
    const std::string& problem() const { return problem_; }

  private:
    struct Stamp {
        std::uint64_t device = 0, inode = 0, size = 0;
        std::int64_t modified_ns = 0, changed_ns = 0;
        bool operator==(const Stamp&) const = default;
    };
    std::vector<Stamp> take_stamps() const;
    Result<std::shared_ptr<const Credentials>> load() const;
    Result<void> check_dates(const TlsContents& contents, std::int64_t wall_us) const;
    Change refuse(std::string why, MonoTime now);

    const TlsConfig tls_;
    const std::filesystem::path password_file_;
    const std::filesystem::path proxy_password_file_;
    const bool uses_tls_;
    const Pace pace_;
    std::vector<Stamp> stamps_;
    std::optional<MonoTime> changed_at_;  // there is a change that was not decided on
    std::optional<MonoTime> retry_at_;    // there is one that was refused
    std::shared_ptr<const Credentials> current_;
    std::string problem_;
};

}  // namespace holdfast
