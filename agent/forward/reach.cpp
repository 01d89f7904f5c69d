#include "forward/reach.hpp"

#include <utility>

#include "forward/http_proxy.hpp"
#include "forward/tcp_connect.hpp"

namespace holdfast {
namespace {

Result<UniqueFd> connect_to(Resolver& resolver, const std::string& host, std::uint16_t port,
                            MonoTime deadline, const std::function<bool()>& is_wanted) {
    const auto addresses = resolver.resolve(host, port, deadline);
    if (!addresses) return addresses.error();
    auto connection = connect_tcp(*addresses, port, deadline, is_wanted);
    if (!connection) return connection.error();
    return std::move(connection->socket);
}

}  // namespace

tl::expected<UniqueFd, LinkFailure> reach_server(Resolver& resolver, const Server& server,
                                                 const std::optional<ProxyAccess>& proxy, MonoTime deadline,
                                                 const std::function<bool()>& is_wanted) {
    const std::string& host = proxy ? proxy->proxy.host : server.host;
    const std::uint16_t port = proxy ? proxy->proxy.port : server.port;
    auto socket = connect_to(resolver, host, port, deadline, is_wanted);
    if (!socket) {
        std::string& text = socket.error().text;
        return tl::unexpected(LinkFailure{LinkFailure::Class::passing, 0,
                                          proxy ? proxy_text(proxy->proxy, ": " + text) : std::move(text)});
    }
    if (proxy)
        if (auto failure = open_tunnel(socket->get(), *proxy, server, deadline, is_wanted))
            return tl::unexpected(std::move(*failure));
    return std::move(*socket);
}

}  // namespace holdfast
