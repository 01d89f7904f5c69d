#include "config/parse.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <exception>

namespace holdfast::config {
namespace {

class Converter {
  public:
    explicit Converter(std::uint32_t file) : file_(file) {}

    Table table(const toml::table& source) const {
        Table out;
        for (const auto& [key, value] : source)
            out.entries.push_back({std::string(key.str()), position(key.source()), node(value)});
        // toml++ keeps keys in the order of the alphabet; people think in that of the file.
        std::sort(out.entries.begin(), out.entries.end(),
                  [](const Entry& a, const Entry& b) { return a.where < b.where; });
        return out;
    }

    Position position(const toml::source_region& source) const {
        return {file_, source.begin.line, source.begin.column};
    }

  private:
    Node node(const toml::node& source) const {
        Node out{position(source.source()), DateTime{}};
        if (const auto* text = source.as_string()) {
            out.value = text->get();
        } else if (const auto* integer = source.as_integer()) {
            out.value = integer->get();
        } else if (const auto* number = source.as_floating_point()) {
            out.value = number->get();
        } else if (const auto* boolean = source.as_boolean()) {
            out.value = boolean->get();
        } else if (const auto* elements = source.as_array()) {
            Array array;
            for (const toml::node& element : *elements)
                array.push_back(node(element));
            out.value = std::move(array);
        } else if (const auto* entries = source.as_table()) {
            out.value = table(*entries);
        }
        return out;
    }

    std::uint32_t file_;
};

}  // namespace

tl::expected<Table, SyntaxError> parse(std::string_view text, std::uint32_t file) {
    const Converter convert(file);
    try {
        return convert.table(toml::parse(text));
    } catch (const toml::parse_error& error) {
        return tl::unexpected(
            SyntaxError{convert.position(error.source()), std::string(error.description())});
    } catch (const std::exception& error) {
        return tl::unexpected(SyntaxError{{file, 0, 0}, std::string("cannot be parsed: ") + error.what()});
    }
}

}  // namespace holdfast::config
