#include "config/variables.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/result.hpp"
#include "base/utf8.hpp"

namespace holdfast::config {
namespace {

Error wrong(std::string text) {
    return {Error::Kind::config, std::move(text)};
}

bool is_variable_name(std::string_view name) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    const auto allowed = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
    return !name.empty() && letter(name.front()) && std::all_of(name.begin(), name.end(), allowed);
}

Result<std::string> variable(const std::string& name) {
    if (!is_variable_name(name))
        return wrong("${...} takes the name of an environment variable; write $${ for a plain ${");
    const char* const value = std::getenv(name.c_str());
    if (value == nullptr) return wrong("environment variable \"" + name + "\" is not set");
    if (!is_utf8(value)) return wrong("environment variable \"" + name + "\" is not UTF-8");
    return std::string(value);
}

Result<std::string> expanded(std::string_view text) {
    std::string out;
    while (true) {
        const std::size_t open = text.find("${");
        if (open == std::string_view::npos) return out.append(text);
        if (open > 0 && text[open - 1] == '$') {
            out.append(text.substr(0, open - 1)).append("${");
            text.remove_prefix(open + 2);
            continue;
        }
        const std::size_t close = text.find('}', open);
        if (close == std::string_view::npos) return wrong("${ without }; write $${ for a plain ${");
        const auto value = variable(std::string(text.substr(open + 2, close - open - 2)));
        if (!value) return value.error();
        out.append(text.substr(0, open)).append(*value);
        text.remove_prefix(close + 1);
    }
}

Result<std::string> usable(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) return wrong("a string must not hold a NUL character");
    return expanded(text);
}

void expand(Node& node, Report& report) {
    if (auto* table = node.as<Table>()) {
        expand_variables(*table, report);
    } else if (auto* array = node.as<Array>()) {
        for (Node& element : *array)
            expand(element, report);
    } else if (auto* text = node.as<std::string>()) {
        if (auto value = usable(*text)) {
            *text = std::move(*value);
        } else {
            report.add(node.where, value.error().text);
            node.value = Broken{};
        }
    }
}

}  // namespace

void expand_variables(Table& table, Report& report) {
    for (Entry& entry : table.entries)
        expand(entry.value, report);
}

}  // namespace holdfast::config
