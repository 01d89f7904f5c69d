#include "input/plugin_files.hpp"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "input/inputs.hpp"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

Result<void> check_owner(const fs::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0)
        return system_error(Error::Kind::config, "cannot look at " + path.string(), errno);
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
        return Error{Error::Kind::config,
                     path.string() +
                         " belongs to another user: plugins are loaded only from files and "
                         "directories of root or of the user that runs the agent"};
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return Error{
            Error::Kind::config,
            path.string() + " can be changed by other users: do `chmod go-w` on it before it is loaded"};
    return {};
}

Error no_such_plugin(const fs::path& directory, const std::string& name) {
    std::error_code no_link;
    const fs::path file = directory / (name + ".so");
    if (const fs::path target = fs::read_symlink(file, no_link); !no_link)
        return {Error::Kind::config, file.string() + " is a link to nothing: " + target.string()};
    std::string known;
    for (const std::string& other : list_plugins({{}, directory, {}}))
        known += (known.empty() ? "" : ", ") + other;
    return {Error::Kind::config, "there is no plugin \"" + name + "\" in " + directory.string() +
                                     (known.empty() ? " (it has none)" : " (it has: " + known + ")")};
}

}  // namespace

Result<fs::path> find_plugin(const fs::path& directory, const std::string& name) {
    std::error_code error;
    const bool plain = !name.empty() && name.find('/') == std::string::npos;
    const fs::path file = plain ? fs::canonical(directory / (name + ".so"), error) : fs::path();
    if (!plain || error) return no_such_plugin(directory, name);
    if (auto safe = check_owner(file.parent_path()); !safe) return safe.error();
    if (auto safe = check_owner(file); !safe) return safe.error();
    return file;
}

std::vector<std::string> list_plugins(const InputEnvironment& environment) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(environment.plugin_directory, error))
        if (entry.path().extension() == ".so") names.push_back(entry.path().stem());
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace holdfast
