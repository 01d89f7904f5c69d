// A log that remembers what was written, for tests to ask. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.hpp"

namespace holdfast::test {

struct LogEntry {
    LogLevel level = LogLevel::info;
    std::string text;
    std::map<std::string, std::string> fields;
};

class RecordingLog final : public Log {
  public:
    explicit RecordingLog(LogLevel level = LogLevel::debug) { set_level(level); }

    std::vector<LogEntry> entries() const {
        const std::lock_guard lock(mutex_);
        return entries_;
    }
    // How many entries have `part` in their text.
    std::size_t count(std::string_view part) const {
        const std::lock_guard lock(mutex_);
        std::size_t found = 0;
        for (const LogEntry& entry : entries_)
            found += entry.text.find(part) != std::string::npos;
        return found;
    }
    std::size_t count(LogLevel level) const {
        const std::lock_guard lock(mutex_);
        std::size_t found = 0;
        for (const LogEntry& entry : entries_)
            found += entry.level == level;
        return found;
    }
    bool has(std::string_view part) const { return count(part) > 0; }
    // Everything as lines of text, for a failure message.
    std::string text() const {
        const std::lock_guard lock(mutex_);
        std::string all;
        for (const LogEntry& entry : entries_)
            all += std::string(to_string(entry.level)) + ": " + entry.text + "\n";
        return all;
    }
    void clear() {
        const std::lock_guard lock(mutex_);
        entries_.clear();
    }

  private:
    void emit(LogLevel level, std::string_view text, LogFields fields) override {
        LogEntry entry{level, std::string(text), {}};
        for (const LogField& field : fields)
            entry.fields.emplace(field.name, field.value);
        const std::lock_guard lock(mutex_);
        entries_.push_back(std::move(entry));
    }

    mutable std::mutex mutex_;
    std::vector<LogEntry> entries_;
};

}  // namespace holdfast::test
