#include "forward/credential_files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/file.hpp"
#include "forward/wall_dates.hpp"

namespace holdfast {
namespace {

std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

bool any_uses_tls(const BrokerConfig& config) {
    return std::any_of(config.servers.begin(), config.servers.end(),
                       [](const Server& server) { return uses_tls(server.scheme); });
}

Result<void> keep_copy(Credentials& credentials, const std::string& content, std::filesystem::path& path) {
    auto copy = MemoryFile::make(content);
    if (!copy) return copy.error();
    path = copy->path();
    credentials.copies.push_back(std::move(*copy));
    return {};
}

}  // namespace

CredentialFiles::CredentialFiles(const BrokerConfig& config, Pace pace)
    : tls_(config.tls),
      password_file_(config.password_file),
      proxy_password_file_(config.proxy ? config.proxy->password_file : std::filesystem::path()),
      uses_tls_(any_uses_tls(config)),
      pace_(pace),
      stamps_(take_stamps()) {
    // Whatever their dates say: there is nothing better to use, and the clock may not be set yet.
    auto first = load();
    if (first) {
        current_ = std::move(*first);
        return;
    }
    problem_ = std::move(first.error().text);
    retry_at_ = MonoTime{};
}

CredentialFiles::Change CredentialFiles::look(MonoTime now, std::int64_t wall_us) {
    if (auto stamps = take_stamps(); stamps != stamps_) {
        stamps_ = std::move(stamps);
        changed_at_ = now;
    }
    const bool retry = retry_at_ && now >= *retry_at_;
    if (!changed_at_ && !retry) return {};
    if (changed_at_ && now - *changed_at_ < pace_.rest) return {};
    auto loaded = load();
    if (take_stamps() != stamps_) return {};  // written while they were read: the next look starts again
    auto dates = loaded ? check_dates((*loaded)->contents, wall_us) : Result<void>{};
    if (!loaded || !dates) {
        if (changed_at_ && now - *changed_at_ < pace_.patience) return {};
        return refuse(std::move(loaded ? dates.error().text : loaded.error().text), now);
    }
    changed_at_.reset();
    retry_at_.reset();
    problem_.clear();
    const bool same = current_ && current_->contents == (*loaded)->contents &&
                      current_->password == (*loaded)->password &&
                      current_->proxy_password == (*loaded)->proxy_password;
    if (same) return {};
    current_ = std::move(*loaded);
    return {Change::Kind::renewed, {}};
}

CredentialFiles::Change CredentialFiles::refuse(std::string why, MonoTime now) {
    changed_at_.reset();
    retry_at_ = now + pace_.retry;
    if (why == problem_) return {};
    problem_ = std::move(why);
    return {Change::Kind::refused, problem_};
}

std::vector<CredentialFiles::Stamp> CredentialFiles::take_stamps() const {
    std::vector<Stamp> stamps;
    const auto add = [&](const std::filesystem::path& file) {
        struct stat info {};
        Stamp& stamp = stamps.emplace_back();
        if (file.empty() || ::stat(file.c_str(), &info) != 0) return;
        stamp = {info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size),
                 nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
    };
    add(password_file_);
    add(proxy_password_file_);
    if (!uses_tls_) return stamps;
    if (tls_.verify) add(tls_.ca_file);
    add(tls_.cert_file);
    add(tls_.key_file);
    add(tls_.key_password_file);
    return stamps;
}

Result<std::shared_ptr<const Credentials>> CredentialFiles::load() const {
    auto credentials = std::make_shared<Credentials>();
    auto password = read_password_setting("password_file", password_file_);
    if (!password) return password.error();
    credentials->password = std::move(*password);
    auto proxy_password = read_password_setting("proxy_password_file", proxy_password_file_);
    if (!proxy_password) return proxy_password.error();
    credentials->proxy_password = std::move(*proxy_password);
    credentials->tls = tls_;
    if (!uses_tls_) return credentials;
    auto contents = load_tls_files(tls_);
    if (!contents) return contents.error();
    credentials->contents = std::move(*contents);
    const TlsContents& held = credentials->contents;
    TlsConfig& tls = credentials->tls;
    for (const auto& [content, path] : {std::pair{&held.ca, &tls.ca_file},
                                        {&held.certificate, &tls.cert_file},
                                        {&held.key, &tls.key_file},
                                        {&held.key_password, &tls.key_password_file}}) {
        if (content->empty()) continue;
        if (auto kept = keep_copy(*credentials, *content, *path); !kept) return kept.error();
    }
    const auto dates = certificate_dates(held.certificate);
    if (!dates.empty()) credentials->client = dates.front();
    return credentials;
}

// A change for the worse is not taken: a certificate of ours that has run out or does not begin yet, or CAs
// that all have run out. A clock that was never set can't judge.
Result<void> CredentialFiles::check_dates(const TlsContents& contents, std::int64_t wall_us) const {
    if (!clock_is_plausible(wall_us)) return {};
    const auto wrong = [](std::string text) { return Error{Error::Kind::config, std::move(text)}; };
    const auto chain = certificate_dates(contents.certificate);
    if (!chain.empty() && chain.front().ends_wall_us < wall_us)
        return wrong("cert_file " + tls_.cert_file.string() + " has expired on " +
                     date_text(chain.front().ends_wall_us));
    if (!chain.empty() && chain.front().begins_wall_us > wall_us)
        return wrong("cert_file " + tls_.cert_file.string() + " is not valid before " +
                     date_text(chain.front().begins_wall_us));
    const auto authorities = certificate_dates(contents.ca);
    const bool all_over = std::all_of(authorities.begin(), authorities.end(),
                                      [&](const auto& dates) { return dates.ends_wall_us < wall_us; });
    if (!authorities.empty() && all_over)
        return wrong("ca_file " + tls_.ca_file.string() + " has expired on " +
                     date_text(authorities.back().ends_wall_us));
    return {};
}

}  // namespace holdfast
