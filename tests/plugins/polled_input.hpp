// A shipped input on a board's files, sampled as the host does.
#pragma once

#include <string>
#include <utility>

#include "board_files.hpp"
#include "plugin_files.hpp"
#include "readings.hpp"

namespace holdfast::test {

class PolledInput {
  public:
    PolledInput(const std::string& plugin, const BoardFiles& board, TestHost::Options options = {})
        : host_(shipped_plugin(plugin), std::move(options)) {
        host_.sensor_root = board.path();
        EXPECT_EQ(host_.open(), 0);
    }
    // What a sample that goes well sees.
    Numbers sample() {
        EXPECT_EQ(host_.sample(), 0) << (host_.errors.empty() ? "" : host_.errors.back());
        return host_.readings.empty() ? Numbers() : numbers(host_.readings.back());
    }
    TestHost& host() { return host_; }

  private:
    TestHost host_;
};

}  // namespace holdfast::test
