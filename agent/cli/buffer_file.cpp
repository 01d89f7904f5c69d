#include "cli/buffer_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "control/control_socket.hpp"

namespace holdfast::cli {
namespace {

constexpr std::size_t pages_per_scan = 1'024;
constexpr std::size_t bytes_per_read = 1024 * 1024;
constexpr const char* lane_names[] = {"low", "normal", "high"};

std::size_t lane_of(Priority priority) {
    return static_cast<std::size_t>(priority);
}

}  // namespace

Result<BufferFile> BufferFile::open(const std::filesystem::path& file) {
    auto reader = RawReader::open(file);
    if (!reader) return reader.error();
    return BufferFile(file, std::move(*reader));
}

void BufferFile::each(const std::function<bool(Batch& batch)>& take) {
    while (!reader_.scan(pages_per_scan)) {
    }
    for (std::optional next = RawReader::Place{}; next;) {
        RawReader::Rows rows = reader_.read(*next, bytes_per_read);
        damaged_ += rows.damaged.size();
        for (Batch& batch : rows.batches) {
            note(batch.header);
            const auto offset = reader_.wall_offsets().find(batch.header.boot);
            if (batch.header.clock == ClockState::unsynchronised && offset != reader_.wall_offsets().end()) {
                batch.header.wall_offset_us = offset->second;
                batch.header.clock = ClockState::corrected;
            }
            if (!take(batch)) return;
        }
        next = rows.next;
    }
}

void BufferFile::note(const BatchHeader& header) {
    const std::size_t lane = lane_of(header.priority);
    const std::uint64_t readings = readings_held(header);
    if (header.seq <= reader_.notes().find(std::string("counted.") + lane_names[lane]).value_or(0)) {
        counted_batches_[lane] += 1;
        counted_readings_[lane] += readings;
    }
    batches_ += 1;
    readings_ += readings;
    newest_arrived_s_ = std::max(newest_arrived_s_, header.arrived_s);
    if (refusals().contains(header.seq)) {
        refused_.batches += 1;
        refused_.readings += readings;
        return;
    }
    const std::int64_t wall_us = header.first_us + header.wall_offset_us;
    oldest_wall_us_ = std::min(oldest_wall_us_.value_or(wall_us), wall_us);
    oldest_arrived_s_ = std::min(oldest_arrived_s_.value_or(header.arrived_s), header.arrived_s);
}

std::uint64_t BufferFile::salvaging_readings() const {
    const std::uint64_t expected = reader_.notes().find("salvage_expected").value_or(0);
    return expected > 0 ? expected - 1 : 0;
}

std::optional<std::int64_t> BufferFile::oldest_age_s() const {
    if (!oldest_arrived_s_) return std::nullopt;
    const auto lived = static_cast<std::int64_t>(reader_.notes().find("lived_s").value_or(0));
    return std::max(lived, newest_arrived_s_) - *oldest_arrived_s_;
}

std::vector<std::string> BufferFile::problems() const {
    std::vector<std::string> problems;
    const RawReader::Notes& notes = reader_.notes();
    if (reader_.wal() == PageFile::Wal::damaged)
        problems.push_back("the WAL has a damaged transaction with later ones behind it");
    if (reader_.wal() == PageFile::Wal::foreign)
        problems.push_back("the WAL belongs to another database and is left out");
    if (notes.values.empty())
        problems.push_back("its notes (table meta) can't be read");
    else if (!notes.sound && notes.find("guard"))
        problems.push_back("its notes (table meta) are damaged");
    if (reader_.lost_pages() > 0)
        problems.push_back(std::to_string(reader_.lost_pages()) + " pages of rows can't be read");
    if (damaged_ > 0) problems.push_back(std::to_string(damaged_) + " rows are damaged");
    for (const Priority priority : {Priority::low, Priority::normal, Priority::high})
        check_totals(priority, problems);
    return problems;
}

void BufferFile::check_totals(Priority priority, std::vector<std::string>& problems) const {
    const std::size_t lane = lane_of(priority);
    const auto total = [&](const char* what) {
        return reader_.notes().find(std::string(what) + "." + lane_names[lane]);
    };
    const std::uint64_t batches = total("batches").value_or(0);
    const std::uint64_t readings = total("readings").value_or(0);
    if (reader_.notes().values.empty() ||
        (batches == counted_batches_[lane] && readings == counted_readings_[lane]))
        return;
    problems.push_back("batches_" + std::string(lane_names[lane]) + " should have " +
                       std::to_string(readings) + " readings in " + std::to_string(batches) +
                       " batches, but " + std::to_string(counted_readings_[lane]) + " in " +
                       std::to_string(counted_batches_[lane]) + " are found");
}

std::filesystem::path own_buffer(const Arguments& arguments) {
    return arguments.places.state_directory / "buffer.db";
}

void say_problems(const std::filesystem::path& file, const std::vector<std::string>& problems) {
    for (const std::string& problem : problems)
        std::fprintf(stderr, "holdfast: %s: %s\n", file.c_str(), problem.c_str());
}

Result<BufferFile> open_buffer_file(const std::filesystem::path& file) {
    auto opened = BufferFile::open(file);
    if (!opened && opened.error().kind == Error::Kind::gone)
        return Error{Error::Kind::gone, file.native() + ": there is no buffer"};
    return opened;
}

void become_owner(const std::filesystem::path& path) {
    struct stat owner {};
    if (::geteuid() != 0 || ::stat(path.c_str(), &owner) != 0 || owner.st_uid == 0) return;
    if (::setegid(owner.st_gid) != 0 || ::seteuid(owner.st_uid) != 0) ::_exit(failed);
}

std::optional<Error> held_by_agent(const Arguments& arguments) {
    const auto answer = ask_agent(arguments.places.control_socket(), "buffer text");
    if (!answer && answer.error().kind == Error::Kind::gone) return std::nullopt;
    if (!answer) return answer.error();
    return Error{Error::Kind::retry,
                 "the agent is running and holds the buffer: stop it first (systemctl stop holdfast)"};
}

}  // namespace holdfast::cli
