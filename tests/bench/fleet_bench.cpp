// What a fleet does to a broker that comes back after an outage, computed with the agent's own Dialer: prints
// the table of docs/operations.md. Takes the number of agents that are simulated, the figures are scaled to a
// million.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <queue>
#include <string>
#include <vector>

#include "forward/dialer.hpp"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

constexpr double fleet = 1'000'000;

struct Settings {
    const char* name;
    std::chrono::milliseconds backoff_initial;
    std::chrono::milliseconds backoff_max;
};

struct Return {
    double peak_per_s = 0;             // connections that were tried in the busiest second
    std::vector<double> back_after_s;  // when each agent was back, from when the broker was, ascending
};

struct Next {
    MonoTime when;
    std::size_t agent;
    bool operator>(const Next& other) const { return when > other.when; }
};

// `per_s`: connections that the broker takes a second, of the agents simulated; the others are refused.
Return simulate(const Settings& settings, std::chrono::seconds outage, std::size_t agents, double per_s) {
    BrokerConfig config;
    config.servers.resize(1);
    config.backoff_initial = settings.backoff_initial;
    config.backoff_max = settings.backoff_max;
    const MonoTime broke{};
    const MonoTime back = broke + outage;
    std::vector<Dialer> dialers;
    std::priority_queue<Next, std::vector<Next>, std::greater<>> queue;
    const LinkFailure away{};
    for (std::size_t i = 0; i < agents; ++i) {
        Dialer& dialer = dialers.emplace_back(config, i + 1);
        dialer.begin();
        dialer.connected(broke - 2min);
        dialer.acknowledged();
        dialer.lost(away, broke);
        while (dialer.next_at() < back) {
            dialer.begin();
            dialer.failed(away, dialer.next_at());
        }
        queue.push({dialer.next_at(), i});
    }
    Return result;
    std::int64_t second = -1;
    double tried = 0;
    double taken = 0;
    while (!queue.empty()) {
        const auto [when, agent] = queue.top();
        queue.pop();
        const std::chrono::duration<double> since = when - back;
        if (const auto now = static_cast<std::int64_t>(since.count()); now != second) {
            second = now;
            tried = taken = 0;
        }
        result.peak_per_s = std::max(result.peak_per_s, ++tried);
        if (++taken <= per_s) {
            result.back_after_s.push_back(since.count());
            continue;
        }
        dialers[agent].begin();
        dialers[agent].failed(away, when);
        queue.push({dialers[agent].next_at(), agent});
    }
    return result;
}

std::string time_text(double seconds) {
    std::array<char, 32> text{};
    if (seconds < 120)
        std::snprintf(text.data(), text.size(), "%.0f s", seconds);
    else
        std::snprintf(text.data(), text.size(), "%.1f min", seconds / 60);
    return text.data();
}

std::string count_text(double count) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.0f,000", std::max(1.0, count / 1000));
    return text.data();
}

void print_row(const Settings& settings, const char* outage, double limit, const Return& result,
               double scale) {
    const auto share = [&](double part) {
        const auto last = static_cast<double>(result.back_after_s.size() - 1);
        return time_text(result.back_after_s[static_cast<std::size_t>(last * part)]);
    };
    std::printf("| %s | %s | %s | %s | %s | %s | %s | %s |\n", settings.name, outage,
                limit > 0 ? (count_text(limit) + "/s").c_str() : "any",
                (count_text(result.peak_per_s * scale) + "/s").c_str(), share(0.5).c_str(),
                share(0.9).c_str(), share(0.99).c_str(), share(1).c_str());
}

void run(std::size_t agents) {
    constexpr Settings all_settings[] = {{"1s, 5m (default)", 1s, 5min}, {"30s, 10m", 30s, 10min}};
    struct Outage {
        const char* name;
        std::chrono::seconds time;
    };
    constexpr Outage outages[] = {{"10 s", 10s}, {"10 min", 10min}, {"1 day", 24h}};
    const double scale = fleet / static_cast<double>(agents);
    std::puts(
        "| backoff_initial, backoff_max | outage | broker takes | peak | 50 % back | 90 % | 99 % | all |");
    std::puts("|---|---|---|---|---|---|---|---|");
    for (const Settings& settings : all_settings)
        for (const Outage& outage : outages)
            for (const double limit : {0.0, 5'000.0})
                print_row(
                    settings, outage.name, limit,
                    simulate(settings, outage.time, agents, limit > 0 ? std::max(1.0, limit / scale) : fleet),
                    scale);
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) {
    holdfast::run(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100'000);
}
