#include "config/report.hpp"

#include <algorithm>

namespace holdfast::config {

void Report::add(Position where, std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
    problems_.emplace_back(where, std::move(text));
}

std::vector<ConfigProblem> Report::sorted() && {
    std::stable_sort(problems_.begin(), problems_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<ConfigProblem> out;
    for (auto& [where, text] : problems_)
        out.push_back({file(where), where.line, where.column, std::move(text)});
    return out;
}

const std::filesystem::path& Report::file(Position where) const {
    static const std::filesystem::path no_file = "configuration";
    return where.file < files_.size() ? files_[where.file] : no_file;
}

std::string Report::place(Position where) const {
    return file(where).string() + ':' + std::to_string(where.line);
}

}  // namespace holdfast::config

namespace holdfast {

std::string to_string(const ConfigProblem& problem) {
    std::string out = problem.file.string();
    if (problem.line > 0) out += ':' + std::to_string(problem.line) + ':' + std::to_string(problem.column);
    return out + ": error: " + problem.text;
}

}  // namespace holdfast
