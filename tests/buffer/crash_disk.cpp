#include "buffer/crash_disk.hpp"

#include <algorithm>
#include <fstream>

namespace holdfast::test {
namespace {

using Kind = DiskEvent::Kind;

bool one_in(std::uint64_t n, CrashDisk::Random& random) {
    return random() % n == 0;
}

void put(std::string& content, std::size_t offset, std::string_view data) {
    if (content.size() < offset + data.size()) content.resize(offset + data.size());
    content.replace(offset, data.size(), data);
}

bool concerns_directory(const DiskEvent& event) {
    return event.kind == Kind::link || event.kind == Kind::unlink;
}

}  // namespace

void write_image(const DiskImage& image, const std::filesystem::path& directory) {
    for (const auto& [name, content] : image)
        std::ofstream(directory / name, std::ios::binary) << content;
}

// What is not kept of a write that makes the file longer: the file system may have noted the new size all the
// same, and then there are zeros, or what the sectors held before.
void CrashDisk::State::tear(const DiskEvent& event, Fate fate, Random& random) {
    std::string& content = files[event.file];
    const auto begin = static_cast<std::size_t>(event.offset);
    const std::size_t end = begin + event.data.size();
    if (content.size() < end && !one_in(3, random)) {
        const std::size_t before = content.size();
        content.resize(end);
        if (one_in(2, random))
            std::generate(content.begin() + static_cast<std::ptrdiff_t>(std::max(before, begin)),
                          content.end(), [&] { return static_cast<char>(random()); });
    }
    if (fate == Fate::lost) return;
    const std::size_t unit = fate == Fate::torn_sectors ? 512 : 4096;
    for (std::size_t from = begin; from < end;) {
        const std::size_t to = std::min(end, (from / unit + 1) * unit);
        if (one_in(2, random))
            put(content, from, std::string_view(event.data).substr(from - begin, to - from));
        from = to;
    }
}

void CrashDisk::State::apply(const DiskEvent& event, Fate fate, Random& random) {
    const bool whole = fate == Fate::whole;
    switch (event.kind) {
        case Kind::write:
            if (!whole) return tear(event, fate, random);
            return put(files[event.file], static_cast<std::size_t>(event.offset), event.data);
        case Kind::truncate:
            if (whole) files[event.file].resize(static_cast<std::size_t>(event.offset));
            return;
        case Kind::link:
            if (whole) names[event.name] = event.file;
            return;
        case Kind::unlink:
            if (const auto name = names.find(event.name);
                whole && name != names.end() && name->second == event.file)
                names.erase(name);
            return;
        default:
            return;
    }
}

template <typename Chosen>
void CrashDisk::make_safe(Chosen chosen) {
    std::vector<DiskEvent> rest;
    for (DiskEvent& event : pending_)
        if (chosen(event))
            safe_.apply(event, Fate::whole, unused_);
        else
            rest.push_back(std::move(event));
    pending_ = std::move(rest);
}

void CrashDisk::apply(const DiskEvent& event) {
    if (event.kind == Kind::sync)
        make_safe(
            [&](const DiskEvent& past) { return !concerns_directory(past) && past.file == event.file; });
    else if (event.kind == Kind::sync_directory)
        make_safe(concerns_directory);
    else
        pending_.push_back(event);
    if (event.kind == Kind::link && !event.data.empty()) safe_.files[event.file] = event.data;
}

DiskImage CrashDisk::cut(CutOrder order, Random& random) const {
    constexpr Fate broken[] = {Fate::lost, Fate::torn_sectors, Fate::torn_blocks};
    State left = safe_;
    // Up to all of it: a kernel that just has written everything back is a case of its own.
    const std::size_t kept = random() % (pending_.size() + 1);
    const std::uint64_t kept_of_ten = random() % 10;
    for (std::size_t i = 0; i < pending_.size(); ++i) {
        Fate fate = Fate::lost;
        if (order == CutOrder::lost)
            fate = random() % 10 < kept_of_ten ? Fate::whole : broken[random() % 3];
        else if (i < kept)
            fate = Fate::whole;
        else if (i == kept)
            fate = broken[random() % 3];
        else
            break;
        left.apply(pending_[i], fate, random);
    }
    DiskImage image;
    for (const auto& [name, file] : left.names)
        image[name] = std::move(left.files[file]);
    return image;
}

}  // namespace holdfast::test
