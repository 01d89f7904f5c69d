#include "config/load.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "config/files.hpp"
#include "config/parse.hpp"
#include "config/report.hpp"
#include "config/sections.hpp"
#include "config/variables.hpp"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

// Takes the later file's inputs aside before the merge, so that they join those there are instead of
// replacing them.
void add_file(config::Table& root, config::Table file) {
    const auto is_inputs = [](const config::Entry& entry) {
        return entry.key == "input" && entry.value.as<config::Array>() != nullptr;
    };
    const auto earlier = std::find_if(root.entries.begin(), root.entries.end(), is_inputs);
    const auto later = std::find_if(file.entries.begin(), file.entries.end(), is_inputs);
    if (earlier != root.entries.end() && later != file.entries.end()) {
        for (config::Node& input : *later->value.as<config::Array>())
            earlier->value.as<config::Array>()->push_back(std::move(input));
        file.entries.erase(later);
    }
    config::merge(root, std::move(file));
}

class Loader {
  public:
    explicit Loader(std::vector<fs::path> files) : report_(std::move(files)) {}

    // The next file's text, or why it can't be read.
    void add(const Result<std::string>& text) {
        const std::uint32_t file = count_++;
        if (!text) {
            report_.add({file, 0, 0}, text.error().text);
            return;
        }
        if (auto table = config::parse(*text, file))
            add_file(root_, std::move(*table));
        else
            report_.add(table.error().where, std::move(table.error().text));
    }

    LoadedConfig finish(const DescribePlugin& describe, const CheckOptions& check) && {
        LoadedConfig out;
        // A file that can't be read hides what it says; problems found in the rest would be guesses.
        if (report_.clean()) {
            config::expand_variables(root_, report_);
            Config config = config::read_config(root_, report_, describe, check);
            if (report_.clean()) out.config = std::move(config);
        }
        out.problems = std::move(report_).sorted();
        return out;
    }

  private:
    config::Report report_;
    config::Table root_;
    std::uint32_t count_ = 0;
};

}  // namespace

LoadedConfig load_config(const std::vector<fs::path>& files, const DescribePlugin& describe,
                         const CheckOptions& check) {
    Loader loader(files);
    for (const fs::path& file : files)
        loader.add(config::read_config_file(file));
    return std::move(loader).finish(describe, check);
}

LoadedConfig load_config_texts(const std::vector<ConfigText>& texts, const DescribePlugin& describe,
                               const CheckOptions& check) {
    std::vector<fs::path> files;
    files.reserve(texts.size());
    for (const ConfigText& text : texts)
        files.push_back(text.file);
    Loader loader(std::move(files));
    for (const ConfigText& text : texts)
        loader.add(text.text);
    return std::move(loader).finish(describe, check);
}

std::vector<fs::path> default_config_files(const fs::path& root) {
    const fs::path directory = root / "etc/holdfast";
    const fs::path fragments = directory / "conf.d";
    std::vector<fs::path> found;
    std::error_code failed;
    for (fs::directory_iterator at(fragments, failed), end; !failed && at != end; at.increment(failed)) {
        const std::string name = at->path().filename().string();
        if (name.ends_with(".toml") && !name.starts_with('.')) found.push_back(at->path());
    }
    std::sort(found.begin(), found.end());
    // Reading the directory as if it were a file says why it can't be read.
    if (failed && failed != std::errc::no_such_file_or_directory) found.push_back(fragments);
    found.insert(found.begin(), directory / "holdfast.toml");
    return found;
}

}  // namespace holdfast
