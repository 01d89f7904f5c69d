#include "config/server_url.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <string>

namespace holdfast::config {
namespace {

struct SchemeInfo {
    std::string_view name;
    Scheme scheme;
    std::uint16_t port;
};
constexpr SchemeInfo schemes[] = {
    {"mqtt", Scheme::mqtt, 1883},
    {"mqtts", Scheme::mqtts, 8883},
    {"ws", Scheme::ws, 80},
    {"wss", Scheme::wss, 443},
};

constexpr std::string_view host_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
constexpr std::size_t max_host_bytes = 253;  // RFC 1035, 2.3.4, as text

Error wrong(std::string text) {
    return {Error::Kind::config, std::move(text)};
}

Result<SchemeInfo> find_scheme(std::string_view name) {
    for (const SchemeInfo& info : schemes)
        if (info.name == name) return info;
    return wrong("the scheme has to be mqtt, mqtts (with TLS), ws or wss (with TLS)");
}

bool is_host_text(std::string_view text) {
    return !text.empty() && text.size() <= max_host_bytes &&
           text.find_first_not_of(host_characters) == std::string_view::npos;
}

// An address of this link only names its interface: fe80::1%eth0.
bool is_ipv6(std::string_view text) {
    const std::size_t zone = text.find('%');
    if (zone != std::string_view::npos && !is_host_text(text.substr(zone + 1))) return false;
    in6_addr address{};
    return ::inet_pton(AF_INET6, std::string(text.substr(0, zone)).c_str(), &address) == 1;
}

// Takes the host from the front of "HOST[:PORT]".
Result<std::string> take_host(std::string_view& authority) {
    if (authority.starts_with('[')) {
        const std::size_t close = authority.find(']');
        const std::string_view host = authority.substr(1, close == std::string_view::npos ? 0 : close - 1);
        if (!is_ipv6(host)) return wrong("there is no IPv6 address in the brackets");
        authority.remove_prefix(close + 1);
        return std::string(host);
    }
    const std::string_view host = authority.substr(0, authority.find(':'));
    authority.remove_prefix(host.size());
    if (host.empty()) return wrong("there is no host");
    if (!is_host_text(host)) return wrong("a host name has letters, digits, '-', '.' and '_' only");
    if (authority.find(':', 1) != std::string_view::npos)
        return wrong("an IPv6 address has to stand in brackets: [2001:db8::1]");
    return std::string(host);
}

// What follows the host: "" or ":PORT".
Result<std::uint16_t> port_from(std::string_view text, std::uint16_t default_port) {
    if (text.empty()) return default_port;
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + 1, end, port);
    if (text.front() != ':' || error != std::errc{} || stop != end || port == 0)
        return wrong("a port is a number from 1 to 65535 after a colon");
    return port;
}

Result<std::string> path_from(std::string_view path, Scheme scheme) {
    const bool websocket = scheme == Scheme::ws || scheme == Scheme::wss;
    if (!websocket && !path.empty() && path != "/") return wrong("a path is for ws and wss only");
    if (!path.empty() && path.front() != '/') return wrong("a path begins with /");
    for (const char c : path)
        if (c <= ' ' || c > '~' || c == '#')
            return wrong("a path has no space, no # and nothing outside ASCII: write these with %");
    if (!websocket) return std::string();
    return std::string(path.empty() ? "/mqtt" : path);
}

struct HostAndPort {
    std::string host;
    std::uint16_t port;
};

Result<HostAndPort> take_apart(std::string_view authority, std::uint16_t default_port) {
    auto host = take_host(authority);
    if (!host) return host.error();
    const auto port = port_from(authority, default_port);
    if (!port) return port.error();
    return HostAndPort{std::move(*host), *port};
}

}  // namespace

Result<Server> parse_server(std::string_view url) {
    const std::size_t colon = url.find("://");
    if (colon == std::string_view::npos)
        return wrong("a server is written as mqtts://HOST or mqtts://HOST:PORT");
    const auto scheme = find_scheme(url.substr(0, colon));
    if (!scheme) return scheme.error();

    std::string_view authority = url.substr(colon + 3);
    const std::string_view path =
        authority.substr(std::min(authority.size(), authority.find_first_of("/?#")));
    authority.remove_suffix(path.size());
    if (authority.find('@') != std::string_view::npos)
        return wrong("user name and password do not belong here: use username and password_file");

    auto place = take_apart(authority, scheme->port);
    if (!place) return place.error();
    auto websocket_path = path_from(path, scheme->scheme);
    if (!websocket_path) return websocket_path.error();
    return Server{scheme->scheme, std::move(place->host), place->port, std::move(*websocket_path),
                  std::string(url)};
}

Result<ProxyConfig> parse_proxy(std::string_view url) {
    constexpr std::string_view scheme = "http://";
    if (!url.starts_with(scheme))
        return wrong("a proxy is written as http://HOST:PORT; TLS to the broker goes through it unopened");
    std::string_view authority = url.substr(scheme.size());
    if (authority.ends_with('/')) authority.remove_suffix(1);
    if (authority.find('@') != std::string_view::npos)
        return wrong("user name and password do not belong here: use proxy_username and proxy_password_file");
    if (authority.find_first_of("/?#") != std::string_view::npos) return wrong("a proxy has no path");
    constexpr std::uint16_t no_default = 0;
    auto place = take_apart(authority, no_default);
    if (!place) return place.error();
    if (place->port == no_default) return wrong("a proxy needs its port: http://HOST:PORT");
    return ProxyConfig{std::move(place->host), place->port, std::string(url), {}, {}};
}

}  // namespace holdfast::config
