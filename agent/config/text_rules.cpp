#include "config/text_rules.hpp"

#include <string>

#include "base/utf8.hpp"
#include "model/reading.hpp"

namespace holdfast::config {
namespace {

constexpr std::size_t max_mqtt_bytes = 65'535;  // MQTT 5, 1.5.4: a length of two bytes
constexpr std::size_t max_alpn_bytes = 255;

Result<void> plain(std::string_view text, std::size_t least, std::size_t most) {
    if (text.size() >= least && text.size() <= most && is_plain_text(text)) return {};
    return Error{Error::Kind::config, "expected " + std::to_string(least) + " to " + std::to_string(most) +
                                          " bytes of UTF-8 without control characters"};
}

}  // namespace

Result<void> check_name(std::string_view text) {
    if (text.find_first_of("+#/") != std::string_view::npos)
        return Error{Error::Kind::config, "must not have +, # or /, for it is one level of a topic"};
    return plain(text, 1, max_name_bytes);
}

Result<void> check_client_id(std::string_view text) {
    return plain(text, 0, max_mqtt_bytes);
}
Result<void> check_username(std::string_view text) {
    return plain(text, 0, max_mqtt_bytes);
}
Result<void> check_tag_key(std::string_view text) {
    return plain(text, 1, max_name_bytes);
}
Result<void> check_tag_value(std::string_view text) {
    return plain(text, 0, max_name_bytes);
}
Result<void> check_alpn(std::string_view text) {
    return plain(text, 1, max_alpn_bytes);
}
Result<void> check_anything(std::string_view) {
    return {};
}

}  // namespace holdfast::config
