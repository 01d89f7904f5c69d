// The system input on a copy of a board's kernel files, with a clock of the test.
#pragma once

#include <filesystem>

#include "plugin_files.hpp"
#include "readings.hpp"
#include "support/temp_dir.hpp"
#include "system/system.hpp"

namespace holdfast::test {

inline std::int64_t now_us = 0;  // what the input under test takes for the time

// A copy of a board's files, and the input on it.
class Board {
  public:
    explicit Board(const std::string& name, const std::vector<std::string>& collect = {},
                   TestHost::Options more = {})
        : name_(name) {
        overlay(name);
        if (!collect.empty()) more.emplace("collect", TestHost::list(collect));
        host_.emplace(shipped_plugin("system"), std::move(more));
        host_->sensor_root = root_.path();
    }
    void start() {
        system_.emplace(plugin::Host(host_->table()), [] { return now_us; });
    }
    // Puts the files of ten seconds later in place.
    void change() { overlay(name_ + ".later"); }
    // What is seen ten seconds later.
    Numbers sample() {
        now_us += 10'000'000;
        EXPECT_EQ(system_->sample(), 0);
        return numbers(host_->readings.back());
    }
    const TempDir& root() const { return root_; }
    TestHost& host() { return *host_; }
    system_input::System& input() { return *system_; }

  private:
    void overlay(const std::string& name) {
        std::filesystem::copy(
            std::filesystem::path(HOLDFAST_FIXTURES) / name, root_.path(),
            std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
    }

    TempDir root_;
    std::string name_;
    std::optional<TestHost> host_;
    std::optional<system_input::System> system_;
};

}  // namespace holdfast::test
