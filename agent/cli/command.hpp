// What the subcommands share: options, exit codes, and the table that main() looks a command up in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"
#include "daemon/places.hpp"

namespace holdfast::cli {

// docs/operations.md; 78 is EX_CONFIG of sysexits.h, on which the unit does not restart.
enum ExitCode : int { done = 0, failed = 1, wrong_usage = 2, wrong_config = 78 };

struct Arguments {
    Places places;
    std::vector<std::string> operands;
    bool json = false;
    bool watch = false;
    bool start = false;
    bool online = false;
    bool publish = false;
    bool yes = false;
    bool all = false;
    long count = 0;  // 0: no limit
    int qos = 1;
};

struct Command {
    std::string_view name;
    std::string_view operands;  // as shown in the usage line
    std::string_view options;   // the command's own long options, as "json watch"
    std::string_view summary;
    int (*run)(const Arguments& arguments);
};

int run(const Arguments& arguments);
int check(const Arguments& arguments);
int test(const Arguments& arguments);
int status(const Arguments& arguments);
int discover(const Arguments& arguments);
int plugins(const Arguments& arguments);
int plugin_test(const Arguments& arguments);
int buffer(const Arguments& arguments);
int buffer_refused(const Arguments& arguments);
int listen(const Arguments& arguments);
int show_version(const Arguments& arguments);

// Loads the configuration and prints each problem as a line on stderr; what is absent then is the config.
LoadedConfig load_and_report(const Places& places, const CheckOptions& check = {});
// The same, and the plugin of each of these inputs (none named: of all) is asked whether its options are
// sound.
LoadedConfig load_and_check(const Places& places, const std::vector<std::string>& inputs = {});

// Whole text to stdout; false when that is closed or full.
bool print(std::string_view text);
// "holdfast: TEXT" to stderr; returns `failed`, or wrong_config for an error of that kind.
int complain(const Error& error);

}  // namespace holdfast::cli
