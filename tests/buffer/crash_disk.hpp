// What is on a disk after the first events of a recording: what is safe, and what may be lost, torn or out of
// order when power goes now.
#pragma once

#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "buffer/recording_vfs.hpp"

namespace holdfast::test {

// The content of the files by name.
using DiskImage = std::map<std::string, std::string>;

void write_image(const DiskImage& image, const std::filesystem::path& directory);

enum class CutOrder {
    kept,  // what was not synced is there up to some point, the write at this point may be torn
    lost   // any of what was not synced is there or is not, whole or torn
};

class CrashDisk {
  public:
    using Random = std::mt19937_64;

    void apply(const DiskEvent& event);
    DiskImage cut(CutOrder order, Random& random) const;

  private:
    enum class Fate { whole, lost, torn_sectors, torn_blocks };
    struct State {
        std::map<std::size_t, std::string> files;
        std::map<std::string, std::size_t> names;
        void apply(const DiskEvent& event, Fate fate, Random& random);
        void tear(const DiskEvent& event, Fate fate, Random& random);
    };
    template <typename Chosen>
    void make_safe(Chosen chosen);

    State safe_;
    std::vector<DiskEvent> pending_;
    Random unused_;
};

}  // namespace holdfast::test
