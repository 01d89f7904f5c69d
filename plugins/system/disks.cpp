// Space on mounted file systems: the table of mounts and statvfs(3).
#include <sys/statvfs.h>

#include <algorithm>

#include "source.hpp"

namespace system_input {

namespace {

struct Mount {
    std::string source;
    std::string point;
};

// Spaces, tabs, newlines and backslashes stand as \040 and the like in the table (proc_pid_mounts(5)).
std::string unescape(std::string_view text) {
    const auto digit = [](char c) { return c >= '0' && c <= '7'; };
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escaped =
            text[i] == '\\' && i + 3 < text.size() && std::all_of(&text[i + 1], &text[i + 1] + 3, digit);
        if (!escaped) {
            plain += text[i];
            continue;
        }
        plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
        i += 3;
    }
    return plain;
}

// Whether it keeps data on storage of this machine. The root always counts, also where it is an overlay. File
// systems of the network are left out: statvfs would hang with the server.
bool is_kept_here(std::string_view source, std::string_view point, std::string_view type) {
    constexpr std::string_view images[] = {"squashfs", "iso9660", "udf", "erofs", "cramfs"};
    constexpr std::string_view without_device[] = {"zfs", "ubifs", "jffs2", "bcachefs"};
    const auto among = [type](const auto& types) {
        return std::find(std::begin(types), std::end(types), type) != std::end(types);
    };
    if (point == "/") return type != "rootfs";
    return (source.starts_with("/dev/") && !among(images)) || among(without_device);
}

class Disks final : public Source {
  public:
    explicit Disks(sensors::Patterns selected) : selected_(std::move(selected)) {}

  private:
    void sample(SensorFiles& files, double, Values& values) override {
        names_.clear();
        for (const Mount& mount : mounts(files))
            if (struct statvfs space{}; selected_.select({mount.point}) &&
                                        ::statvfs(files.path({mount.point}).c_str(), &space) == 0 &&
                                        space.f_blocks > 0)
                put(mount, space, values);
    }

    // Below a sensor root, process 1 has the mounts that are meant; the plugin's own are those of its
    // sandbox.
    static std::string_view table(SensorFiles& files) {
        if (!files.is_live())
            if (const auto text = files.read({"/proc/1/mounts"})) return *text;
        if (const auto text = files.read({"/proc/self/mounts"})) return *text;
        return files.read({"/proc/mounts"}).value_or("");
    }

    // Each file system once, where it is mounted first: what follows are bind mounts. What is mounted over a
    // point hides what was there.
    static std::vector<Mount> mounts(SensorFiles& files) {
        std::vector<Mount> found;
        for (std::string_view text = table(files); !text.empty();) {
            std::string_view line = take_line(text);
            Mount mount{unescape(take_word(line)), unescape(take_word(line))};
            std::erase_if(found, [&](const Mount& other) { return other.point == mount.point; });
            if (!is_kept_here(mount.source, mount.point, take_word(line))) continue;
            const bool known = std::any_of(found.begin(), found.end(),
                                           [&](const Mount& other) { return other.source == mount.source; });
            if (!known) found.push_back(std::move(mount));
        }
        return found;
    }

    // As df(1): what is free to everybody, and the used part of what everybody may use.
    void put(const Mount& mount, const struct statvfs& space, Values& values) {
        const std::string& name =
            names_.make(mount.point == "/" ? "root" : std::string_view(mount.point).substr(1));
        const auto bytes = [&](fsblkcnt_t blocks) {
            return static_cast<std::int64_t>(blocks) * static_cast<std::int64_t>(space.f_frsize);
        };
        const fsblkcnt_t used = space.f_blocks - space.f_bfree;
        values.set({"disk.", name, ".total"}, "By", bytes(space.f_blocks));
        values.set({"disk.", name, ".used"}, "By", bytes(used));
        values.set({"disk.", name, ".free"}, "By", bytes(space.f_bavail));
        const double usable = static_cast<double>(used) + static_cast<double>(space.f_bavail);
        values.set({"disk.", name, ".usage"}, "%",
                   usable > 0 ? 100.0 * static_cast<double>(used) / usable : 100.0);
    }

    sensors::Patterns selected_;
    UniqueNames names_;
};

}  // namespace

std::unique_ptr<Source> make_disks(const Selection& selection) {
    return std::make_unique<Disks>(selection.mounts);
}

}  // namespace system_input
