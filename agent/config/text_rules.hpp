// What text may stand where: names, tags and whatever else goes to a broker. Each fails (kind config) with
// the rule in words.
#pragma once

#include <string_view>

#include "base/result.hpp"

namespace holdfast::config {

using TextRule = Result<void> (*)(std::string_view);

// Agent and input names: one level of a topic each, so that filters with + find them. 1 to 256 bytes, plain,
// without + # /.
Result<void> check_name(std::string_view text);
// Plain UTF-8 of at most 65,535 bytes, as MQTT takes it; all may be empty.
Result<void> check_client_id(std::string_view text);
Result<void> check_username(std::string_view text);
// For a proxy, which takes them in one line with a colon between (RFC 7617, 2): at most 255 bytes, no colon.
Result<void> check_proxy_username(std::string_view text);
// A tag's key: 1 to 256 bytes of plain UTF-8; its value: at most 256.
Result<void> check_tag_key(std::string_view text);
Result<void> check_tag_value(std::string_view text);
// A protocol's name for TLS ALPN: 1 to 255 bytes (RFC 7301, 3.1).
Result<void> check_alpn(std::string_view text);
Result<void> check_anything(std::string_view text);

}  // namespace holdfast::config
