// A real mosquitto on a free loopback port, configured by lines of its own configuration file; killed with
// the test.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/loopback.hpp"
#include "support/temp_dir.hpp"

namespace holdfast::test {

class MosquittoBroker {
  public:
    // `lines` come after the listener's, so that they may be options of the listener (certfile, protocol,
    // ...) or global ones.
    explicit MosquittoBroker(std::vector<std::string> lines = {"allow_anonymous true"})
        : port_(free_port()), lines_(std::move(lines)) {
        start();
    }
    MosquittoBroker(const MosquittoBroker&) = delete;
    MosquittoBroker& operator=(const MosquittoBroker&) = delete;
    ~MosquittoBroker() { end(SIGKILL); }

    std::uint16_t port() const { return port_; }
    pid_t pid() const { return pid_; }
    std::filesystem::path log_file() const { return directory_ / "log"; }

    // Returns when it accepts connections.
    void start() {
        std::string text = "listener " + std::to_string(port_) + " 127.0.0.1\n";
        for (const std::string& line : lines_)
            text += line + "\n";
        // Mosquitto 2.0.11 counts no WebSocket listener and would end for want of one.
        text += "listener 0 " + (directory_ / "socket").string() + "\n";
        if (::geteuid() == 0) text += "user root\n";
        text += "persistence_location " + directory_.path().string() + "/\n";
        const auto file = directory_.write("mosquitto.conf", text);
        pid_ = ::fork();
        if (pid_ == 0) run(file);
        wait_until_ready();
    }
    // As its service is stopped: it writes what it has to keep.
    void stop() { end(SIGTERM); }
    void kill() { end(SIGKILL); }
    void restart() {
        stop();
        start();
    }
    // Stops answering without closing anything, and goes on.
    void freeze() { ::kill(pid_, SIGSTOP); }
    void thaw() { ::kill(pid_, SIGCONT); }
    void set_lines(std::vector<std::string> lines) { lines_ = std::move(lines); }

  private:
    [[noreturn]] void run(const std::filesystem::path& config) const {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int log = ::open(log_file().c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(log, STDOUT_FILENO);
        ::dup2(log, STDERR_FILENO);
        // Debian has it where only root's PATH looks.
        ::execl("/usr/sbin/mosquitto", "mosquitto", "-c", config.c_str(), static_cast<char*>(nullptr));
        ::_exit(127);
    }

    void wait_until_ready() {
        using namespace std::chrono_literals;
        const auto deadline = std::chrono::steady_clock::now() + 10s;
        while (!is_listening(port_)) {
            if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
                pid_ = -1;
                throw std::runtime_error("mosquitto has ended at its start");
            }
            if (std::chrono::steady_clock::now() > deadline)
                throw std::runtime_error("mosquitto does not listen");
            std::this_thread::sleep_for(5ms);
        }
    }

    void end(int signal) {
        if (pid_ <= 0) return;
        ::kill(pid_, signal);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }

    TempDir directory_;
    const std::uint16_t port_;
    std::vector<std::string> lines_;
    pid_t pid_ = -1;
};

}  // namespace holdfast::test
