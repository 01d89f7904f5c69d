// The table that a benchmark prints: each figure with its peer of the same run, and whether it keeps its
// limit.
#pragma once

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::bench {

struct Figure {
    std::string name;
    double value = 0;
    std::optional<double> peer = {};         // the same of the peer; the ratio is value / peer
    std::optional<double> least_ratio = {};  // limits; none: it is shown only
    std::optional<double> most_ratio = {};
    std::optional<double> most = {};
    std::optional<double> enough = {};  // as good as least_ratio, however fast the peer is

    bool kept() const {
        const double ratio = peer ? value / *peer : 0;
        if (least_ratio && ratio < *least_ratio && !(enough && value >= *enough)) return false;
        if (most_ratio && ratio > *most_ratio) return false;
        return !most || value <= *most;
    }
};

class Table {
  public:
    Table() { std::printf("%-62s %14s %14s %8s %16s\n", "figure", "value", "peer", "ratio", "limit"); }

    void add(const Figure& figure) {
        std::string limit = "-";
        if (figure.least_ratio) limit = "ratio >= " + number(*figure.least_ratio);
        if (figure.most_ratio) limit = "ratio <= " + number(*figure.most_ratio);
        if (figure.most) limit = "<= " + number(*figure.most);
        std::printf("%-62s %14s %14s %8s %16s  %s\n", figure.name.c_str(), number(figure.value).c_str(),
                    figure.peer ? number(*figure.peer).c_str() : "-",
                    figure.peer ? number(figure.value / *figure.peer).c_str() : "-", limit.c_str(),
                    figure.kept() ? "ok" : "MISSED");
        std::fflush(stdout);
        missed_ = missed_ || !figure.kept();
    }
    bool missed() const { return missed_; }

  private:
    static std::string number(double value) {
        char text[32];
        std::snprintf(text, sizeof text, value >= 1'000 ? "%.0f" : value >= 10 ? "%.1f" : "%.3f", value);
        return text;
    }

    bool missed_ = false;
};

}  // namespace holdfast::bench
