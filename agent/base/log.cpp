#include "base/log.hpp"

#include <unistd.h>

#include <string>

namespace holdfast {

std::string_view to_string(LogLevel level) {
    switch (level) {
        case LogLevel::error:
            return "error";
        case LogLevel::warning:
            return "warning";
        case LogLevel::info:
            return "info";
        case LogLevel::debug:
            return "debug";
    }
    return "info";
}

std::optional<LogLevel> log_level_from(std::string_view name) {
    for (const auto level : {LogLevel::error, LogLevel::warning, LogLevel::info, LogLevel::debug})
        if (to_string(level) == name) return level;
    return std::nullopt;
}

void StderrLog::emit(LogLevel level, std::string_view text, LogFields fields) {
    std::string line;
    if (style_ == Style::level_prefix) {
        line += '<';
        line += static_cast<char>('0' + static_cast<int>(level));
        line += '>';
    } else if (level != LogLevel::info) {
        line += to_string(level);
        line += ": ";
    }
    for (const LogField& field : fields) {
        if (field.name != "INPUT") continue;
        line += field.value;
        line += ": ";
    }
    line += text;
    for (char& c : line)
        if (c == '\n') c = ' ';
    line += '\n';
    // One write, so that lines of several threads do not mix; a closed stderr is nobody's to mend here.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace holdfast
