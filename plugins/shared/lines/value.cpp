#include "shared/lines/record.hpp"
#include "shared/text/number.hpp"

namespace lines {

using plugin_text::to_number;
using plugin_text::trimmed;

void parse_value(std::string_view line, Record& record) {
    std::string_view text = trimmed(line);
    if (text.empty()) return;
    for (const std::string_view none : {"nan", "NaN", "NAN", "null"})
        if (text == none) return record.fields.push_back({"value", Null{}});
    if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
    const auto number = to_number<double>(text);
    if (!number) throw LineError("value: the line is not a number");
    record.fields.push_back({"value", *number});
}

}  // namespace lines
