#include "buffer/sqlite_format.hpp"

#include <algorithm>

namespace holdfast::sqlite_format {
namespace {

constexpr std::size_t table_most_local = page_bytes - 35;
constexpr std::size_t index_most_local = (page_bytes - 12) * 64 / 255 - 23;
constexpr std::size_t least_local = (page_bytes - 12) * 32 / 255 - 23;
// The page that holds the byte which SQLite locks is never used:
// sqlite.org/fileformat2.html#the_lock_byte_page
constexpr PageNumber lock_page = 0x40000000 / page_bytes + 1;

std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint8_t>(bytes[at]);
}

// Reads from the front of `bytes`; none when it ends too early.
std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(bytes.size(), 9); ++i) {
        const std::uint8_t part = byte_at(bytes, i);
        value = i == 8 ? value << 8 | part : value << 7 | (part & 0x7F);
        if (i == 8 || (part & 0x80) == 0) {
            bytes.remove_prefix(i + 1);
            return value;
        }
    }
    return std::nullopt;
}

std::int64_t signed_big_endian(std::string_view bytes) {
    std::uint64_t value = !bytes.empty() && (byte_at(bytes, 0) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (const char byte : bytes)
        value = value << 8 | static_cast<std::uint8_t>(byte);
    return static_cast<std::int64_t>(value);
}

std::size_t local_bytes(std::uint64_t payload, std::size_t most_local) {
    if (payload <= most_local) return static_cast<std::size_t>(payload);
    const auto split = static_cast<std::size_t>(least_local + (payload - least_local) % (page_bytes - 4));
    return split <= most_local ? split : least_local;
}

// Takes a column of this serial type from the front of `body`; false: it does not fit.
bool take_value(std::uint64_t type, std::string_view& body, Field& value) {
    constexpr std::size_t sizes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
    value = {};
    if (type == 10 || type == 11) return false;
    const std::uint64_t wanted = type < 10 ? sizes[type] : (type - 12) / 2;
    if (wanted > body.size()) return false;
    const auto size = static_cast<std::size_t>(wanted);
    value.bytes = body.substr(0, size);
    body.remove_prefix(size);
    if (type == 0) return true;
    if (type >= 12) {
        value.kind = type % 2 == 0 ? Field::Kind::blob : Field::Kind::text;
    } else if (type == 7) {
        value.kind = Field::Kind::real;
    } else {
        value.kind = Field::Kind::integer;
        value.integer = type >= 8 ? static_cast<std::int64_t>(type - 8) : signed_big_endian(value.bytes);
    }
    return true;
}

}  // namespace

std::uint32_t big_endian(std::string_view bytes, std::size_t at) {
    if (at + 4 > bytes.size()) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value = value << 8 | byte_at(bytes, at + i);
    return value;
}

std::optional<TreePage> TreePage::of(std::string_view page, PageNumber number) {
    const std::size_t header = number == 1 ? 100 : 0;
    const std::uint8_t kind = byte_at(page, header);
    if (kind != 2 && kind != 5 && kind != 10 && kind != 13) return std::nullopt;
    return TreePage(page, header, static_cast<PageKind>(kind));
}

TreePage::TreePage(std::string_view page, std::size_t header, PageKind kind)
    : page_(page), header_(header), kind_(kind) {
    const std::size_t count = big_endian(page, header + 3) >> 16;
    cells_ = std::min(count, (page_bytes - header - 12) / 2);
}

std::optional<Cell> TreePage::cell(std::size_t index) const {
    const bool is_inner = kind_ == PageKind::inner_index || kind_ == PageKind::inner_table;
    const std::size_t pointer = header_ + (is_inner ? 12 : 8) + 2 * index;
    const std::size_t at = std::size_t{byte_at(page_, pointer)} << 8 | byte_at(page_, pointer + 1);
    if (at <= pointer || at + 4 > page_.size()) return std::nullopt;
    std::string_view rest = page_.substr(at);
    Cell cell;
    if (is_inner) {
        cell.child = big_endian(rest, 0);
        rest.remove_prefix(4);
    }
    if (kind_ != PageKind::inner_table) {
        const auto bytes = take_varint(rest);
        if (!bytes) return std::nullopt;
        cell.bytes = *bytes;
    }
    const bool is_table = kind_ == PageKind::inner_table || kind_ == PageKind::leaf_table;
    if (is_table) {
        const auto rowid = take_varint(rest);
        if (!rowid) return std::nullopt;
        cell.rowid = *rowid;
    }
    const std::size_t local = local_bytes(cell.bytes, is_table ? table_most_local : index_most_local);
    if (local > rest.size()) return std::nullopt;
    cell.local = rest.substr(0, local);
    if (local < cell.bytes) cell.overflow = big_endian(rest, local);
    return cell;
}

bool decode_record(std::string_view payload, std::vector<Field>& values) {
    values.clear();
    std::string_view types = payload;
    const auto length = take_varint(types);
    if (!length || *length > payload.size() || *length < payload.size() - types.size()) return false;
    const auto header = static_cast<std::size_t>(*length);
    std::string_view body = payload.substr(header);
    types = types.substr(0, header - (payload.size() - types.size()));
    while (!types.empty()) {
        const auto type = take_varint(types);
        if (!type || !take_value(*type, body, values.emplace_back())) return false;
    }
    return true;
}

PageNumber map_of(PageNumber page) {
    constexpr PageNumber span = entries_per_map + 1;
    const PageNumber map = (page - 2) / span * span + 2;
    return map == lock_page ? map + 1 : map;
}

std::size_t map_offset_of(PageNumber page) {
    return 5 * std::size_t{page - map_of(page) - 1};
}

}  // namespace holdfast::sqlite_format
