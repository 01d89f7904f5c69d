#include "daemon/systemd.hpp"

#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-daemon.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace holdfast::systemd {
namespace {

void notify(const std::string& state) {
    sd_notify(0, state.c_str());
}

// $JOURNAL_STREAM is "DEVICE:INODE" of what the journal reads (systemd.exec(5)); a redirected stderr no
// longer matches it.
bool stderr_is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    std::uintmax_t device = 0;
    std::uintmax_t inode = 0;
    struct stat status {};
    return stream != nullptr && std::sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
           ::fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

class JournalLog final : public Log {
  private:
    void emit(LogLevel level, std::string_view text, LogFields fields) override {
        std::vector<std::string> entries;
        entries.reserve(fields.size() + 3);
        std::string message = "MESSAGE=";
        for (const LogField& field : fields) {
            if (field.name == "INPUT") message.append(field.value).append(": ");
            entries.push_back(std::string(field.name) + '=' + std::string(field.value));
        }
        entries.push_back(message.append(text));
        entries.push_back("PRIORITY=" + std::to_string(static_cast<int>(level)));
        entries.push_back("SYSLOG_IDENTIFIER=holdfast");
        std::vector<iovec> parts;
        parts.reserve(entries.size());
        for (std::string& entry : entries)
            parts.push_back({entry.data(), entry.size()});
        sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
    }
};

}  // namespace

void notify_ready(const std::string& status) {
    notify("READY=1\nSTATUS=" + status);
}
void notify_status(const std::string& status) {
    notify("STATUS=" + status);
}
void notify_stopping() {
    notify("STOPPING=1\nSTATUS=stopping: writing what is held to disk");
}
void feed_watchdog() {
    notify("WATCHDOG=1");
}

void notify_reloading() {
    // MONOTONIC_USEC is what Type=notify-reload wants from systemd 253 on; older ones ignore it.
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const auto micros = static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
    notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(micros));
}

std::optional<Micros> watchdog_interval() {
    std::uint64_t micros = 0;
    if (sd_watchdog_enabled(0, &micros) <= 0) return std::nullopt;
    return Micros(static_cast<Micros::rep>(micros));
}

std::unique_ptr<Log> make_log() {
    if (stderr_is_journal()) return std::make_unique<JournalLog>();
    const bool under_systemd = std::getenv("INVOCATION_ID") != nullptr && ::isatty(STDERR_FILENO) == 0;
    return std::make_unique<StderrLog>(under_systemd ? StderrLog::Style::level_prefix
                                                     : StderrLog::Style::plain);
}

}  // namespace holdfast::systemd
