// Where messages for a person go. A failing thing is logged on change of state with a count, not per attempt;
// no secret and no payload above debug. Thread-safe: every thread may hold a Log&.
#pragma once

#include <atomic>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace holdfast {

// Values are syslog's priorities.
enum class LogLevel { error = 3, warning = 4, info = 6, debug = 7 };

std::string_view to_string(LogLevel level);
std::optional<LogLevel> log_level_from(std::string_view name);  // "debug", "info", "warning", "error"

// A journal field; names are upper case, as journald wants them (INPUT, PLUGIN, ERRNO, MESSAGE_ID).
struct LogField {
    std::string_view name;
    std::string_view value;
};
using LogFields = std::initializer_list<LogField>;

class Log {
  public:
    virtual ~Log() = default;
    void set_level(LogLevel level) { level_ = level; }
    bool wants(LogLevel level) const { return level <= level_.load(std::memory_order_relaxed); }

    void error(std::string_view text, LogFields fields = {}) { write(LogLevel::error, text, fields); }
    void warning(std::string_view text, LogFields fields = {}) { write(LogLevel::warning, text, fields); }
    void info(std::string_view text, LogFields fields = {}) { write(LogLevel::info, text, fields); }
    void debug(std::string_view text, LogFields fields = {}) { write(LogLevel::debug, text, fields); }
    void write(LogLevel level, std::string_view text, LogFields fields = {}) {
        if (wants(level)) emit(level, text, fields);
    }

  private:
    virtual void emit(LogLevel level, std::string_view text, LogFields fields) = 0;
    std::atomic<LogLevel> level_ = LogLevel::info;
};

// One line on stderr, "<6>text" (sd-daemon(3)) when `prefixed`, else plain text; an INPUT field is shown as
// "input: ".
class StderrLog final : public Log {
  public:
    enum class Style { plain, level_prefix };
    explicit StderrLog(Style style) : style_(style) {}

  private:
    void emit(LogLevel level, std::string_view text, LogFields fields) override;
    Style style_;
};

}  // namespace holdfast
