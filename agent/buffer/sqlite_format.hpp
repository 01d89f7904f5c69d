// What reading a damaged buffer needs to know of SQLite's file format (sqlite.org/fileformat2.html): b-tree
// pages, cells and records, each taken apart with every bound checked. Pure functions of bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace holdfast::sqlite_format {

inline constexpr std::size_t page_bytes = 4096;  // of every buffer; docs/buffer-format.md
inline constexpr std::size_t entries_per_map = page_bytes / 5;

using PageNumber = std::uint32_t;  // from 1

// Numbers of the format.
enum class PageKind : std::uint8_t { inner_index = 2, inner_table = 5, leaf_index = 10, leaf_table = 13 };

std::uint32_t big_endian(std::string_view bytes, std::size_t at);  // 4 bytes; 0 past the end

struct Cell {
    std::uint64_t rowid = 0;  // of a table; of an inner page: the highest below `child`
    PageNumber child = 0;     // of an inner page
    std::uint64_t bytes = 0;  // of the payload
    std::string_view local;   // what of it lies in the page
    PageNumber overflow = 0;  // where it goes on; 0: nowhere
};

// A page of a b-tree; a view of its bytes.
class TreePage {
  public:
    // None: the bytes are no such page.
    static std::optional<TreePage> of(std::string_view page, PageNumber number);

    PageKind kind() const { return kind_; }
    std::size_t cells() const { return cells_; }
    // None: it does not lie inside the page.
    std::optional<Cell> cell(std::size_t index) const;
    PageNumber last_child() const { return big_endian(page_, header_ + 8); }  // of an inner page

  private:
    TreePage(std::string_view page, std::size_t header, PageKind kind);
    std::string_view page_;
    std::size_t header_;
    PageKind kind_;
    std::size_t cells_;
};

struct Field {
    enum class Kind { null, integer, real, text, blob };
    Kind kind = Kind::null;
    std::int64_t integer = 0;
    std::string_view bytes;
};
// The columns of a record, into `values`; false: it is damaged.
bool decode_record(std::string_view payload, std::vector<Field>& values);

// The map that says of every page which page leads to it, with auto_vacuum.
PageNumber map_of(PageNumber page);          // the page of the map where its entry stands
std::size_t map_offset_of(PageNumber page);  // and where in that page
// Numbers of the format; any other is damage.
enum class MapEntry : std::uint8_t { root = 1, free = 2, overflow = 3, overflow_next = 4, tree = 5 };

}  // namespace holdfast::sqlite_format
