// What is wrong with the configuration, and which files it came from. Problems are gathered, never thrown: a
// person sees all of them at once.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "config/load.hpp"
#include "config/node.hpp"

namespace holdfast::config {

class Report {
  public:
    explicit Report(std::vector<std::filesystem::path> files) : files_(std::move(files)) {}

    void add(Position where,
             std::string text);  // control characters in it are shown as spaces: it is one line
    bool clean() const { return problems_.empty(); }
    std::size_t count() const { return problems_.size(); }
    std::vector<ConfigProblem> sorted() &&;  // by file, line and column

    const std::filesystem::path& file(Position where) const;
    std::string place(
        Position where) const;  // "file:line", to point at another place from within a problem's text

  private:
    std::vector<std::filesystem::path> files_;
    std::vector<std::pair<Position, std::string>> problems_;
};

}  // namespace holdfast::config
