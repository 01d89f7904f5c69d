#include "mqtt/agent_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <sstream>

#include "support/wait_until.hpp"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;

std::string quoted(const std::string& text) {
    return '"' + text + '"';
}

std::string section(const char* name, AgentSettings::Keys own, const AgentSettings::Keys& chosen) {
    for (const auto& [key, value] : chosen)
        own[key] = value;
    std::string text = std::string("[") + name + "]\n";
    for (const auto& [key, value] : own)
        text += key + " = " + value + "\n";
    return text;
}

std::string program() {
    const char* build = ::getenv("HOLDFAST_BUILD");
    return std::string(build != nullptr ? build : HOLDFAST_BUILD_DIR) + "/bin/holdfast";
}

}  // namespace

AgentProcess::AgentProcess(const TempDir& directory, std::uint16_t port, const std::filesystem::path& ca_file)
    : directory_(directory), port_(port), ca_file_(ca_file) {
    std::filesystem::create_directories(directory_ / "state");
    std::filesystem::create_directories(directory_ / "run");
}

AgentProcess::~AgentProcess() {
    kill();
}

void AgentProcess::configure(const AgentSettings& settings) {
    const std::string version = settings.version == MqttVersion::v5 ? "5" : "3.1.1";
    std::string text = "[agent]\nid = \"gw\"\n";
    text += section("broker",
                    {{"servers", "[\"mqtts://localhost:" + std::to_string(port_) + "\"]"},
                     {"protocol", quoted(version)},
                     {"backoff_initial", quoted("10ms")},
                     {"backoff_max", quoted("200ms")}},
                    settings.broker);
    text += section("broker.tls", {{"ca_file", quoted(ca_file_.string())}}, settings.tls);
    text += section("batch", {{"max_readings", "1"}, {"max_delay", quoted("0s")}}, settings.batch);
    text += section("buffer", {}, settings.buffer);
    text += "[[input]]\nname = \"sim\"\nplugin = \"simulator\"\n[input.options]\nshape = \"counter\"\n";
    text += "rate = " + std::to_string(settings.rate) + ".0\n";
    text += "count = " + std::to_string(settings.readings) + "\n" + settings.more;
    directory_.write("holdfast.toml", text);
}

void AgentProcess::start() {
    const std::string binary = program();
    const std::string config = directory_ / "holdfast.toml";
    const std::string state = directory_ / "state";
    const std::string runtime = directory_ / "run";
    const std::string log_file = directory_ / "agent.log";
    const std::array<const char*, 9> words{binary.c_str(),  "run",           "--config",
                                           config.c_str(),  "--state-dir",   state.c_str(),
                                           "--runtime-dir", runtime.c_str(), nullptr};
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int log_fd = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(::open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    ::dup2(log_fd, STDOUT_FILENO);
    ::dup2(log_fd, STDERR_FILENO);
    ::execv(binary.c_str(), const_cast<char* const*>(words.data()));
    ::_exit(127);
}

void AgentProcess::terminate() const {
    if (pid_ > 0) ::kill(pid_, SIGTERM);
}

int AgentProcess::wait_end(std::chrono::seconds limit) {
    int status = 0;
    if (pid_ <= 0 || !wait_until([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, limit)) return -1;
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void AgentProcess::kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

CommandResult AgentProcess::command(const std::string& words) const {
    const std::string line = program() + " " + words + " --config " +
                             (directory_ / "holdfast.toml").string() + " --state-dir " +
                             (directory_ / "state").string() + " --runtime-dir " +
                             (directory_ / "run").string() + " 2>&1 </dev/null";
    std::FILE* pipe = ::popen(line.c_str(), "r");
    CommandResult result;
    std::array<char, 4096> part{};
    for (std::size_t got = 0; (got = std::fread(part.data(), 1, part.size(), pipe)) > 0;)
        result.output.append(part.data(), got);
    const int status = ::pclose(pipe);
    if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
    return result;
}

std::string AgentProcess::status(std::string_view section, std::string_view member) const {
    const std::string json = command("status --json").output;
    const auto begin = json.find("\"" + std::string(section) + "\":");
    const std::string name = "\"" + std::string(member) + "\":";
    const auto at = begin == std::string::npos ? begin : json.find(name, begin);
    if (at == std::string::npos) return {};
    const std::string rest = json.substr(json.find_first_not_of(' ', at + name.size()));
    const bool is_text = rest.front() == '"';
    return is_text ? rest.substr(1, rest.find('"', 1) - 1) : rest.substr(0, rest.find_first_of(",}\n"));
}

bool AgentProcess::wait_status(std::string_view section, std::string_view member, std::string_view value,
                               std::chrono::seconds limit) const {
    return wait_until([&] { return status(section, member) == value; }, limit);
}

std::string AgentProcess::log() const {
    std::ifstream file(directory_ / "agent.log");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

int AgentProcess::logged(std::string_view text) const {
    std::istringstream lines(log());
    int count = 0;
    for (std::string line; std::getline(lines, line);)
        count += line.find(text) != std::string::npos ? 1 : 0;
    return count;
}

bool AgentProcess::wait_logged(std::string_view text, int lines) const {
    return wait_until([&] { return logged(text) >= lines; });
}

}  // namespace holdfast::test
