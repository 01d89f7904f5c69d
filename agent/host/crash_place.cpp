#include "host/crash_place.hpp"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/unique_fd.hpp"

namespace holdfast::host {
namespace {

// Frames looked at: an endless recursion has more than anybody wants to know of.
constexpr int most_frames = 64;

// The plugin as it lies in memory; written before it runs.
struct Image {
    std::array<char, 512> path;
    std::uintptr_t base = 0;
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    bool holds(std::uintptr_t address) const { return address >= begin && address < end; }
};
Image image;

// Text of bounded length, in place.
class Words {
  public:
    explicit Words(std::span<char> out) : out_(out) {}
    void add(std::string_view text) {
        const std::size_t count = std::min(text.size(), out_.size() - size_);
        std::copy_n(text.data(), count, out_.data() + size_);
        size_ += count;
    }
    void add_hexadecimal(std::uint64_t value) {
        std::array<char, 16> digits;
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
        add({digits.data(), static_cast<std::size_t>(end - digits.data())});
    }
    std::size_t size() const { return size_; }
    std::string_view view() const { return {out_.data(), size_}; }

  private:
    std::span<char> out_;
    std::size_t size_ = 0;
};

// Where the signal found the processor; 0 where that is not known for this architecture.
std::uintptr_t interrupted_at(const void* context) {
    if (context == nullptr) return 0;
    const mcontext_t& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
    return static_cast<std::uintptr_t>(machine.gregs[REG_RIP]);
#elif defined(__i386__)
    return static_cast<std::uintptr_t>(machine.gregs[REG_EIP]);
#elif defined(__aarch64__)
    return static_cast<std::uintptr_t>(machine.pc);
#elif defined(__arm__)
    return static_cast<std::uintptr_t>(machine.arm_pc);
#else
    static_cast<void>(machine);
    return 0;
#endif
}

struct Walk {
    std::uintptr_t found = 0;
    int left = most_frames;
};

_Unwind_Reason_Code look_at_frame(_Unwind_Context* context, void* data) {
    auto& walk = *static_cast<Walk*>(data);
    int before_instruction = 0;
    // A return address belongs to the call before it, which may be the function's last instruction.
    const std::uintptr_t address = _Unwind_GetIPInfo(context, &before_instruction);
    const std::uintptr_t place = address - (before_instruction != 0 ? 0U : 1U);
    if (image.holds(place)) walk.found = place;
    return walk.found != 0 || --walk.left == 0 ? _URC_END_OF_STACK : _URC_NO_REASON;
}

// The innermost address of the plugin on the stack; 0: none.
std::uintptr_t plugin_address(const void* context) {
    const std::uintptr_t interrupted = interrupted_at(context);
    if (image.holds(interrupted)) return interrupted;
    Walk walk;
    _Unwind_Backtrace(look_at_frame, &walk);
    return walk.found;
}

template <typename T>
bool read_at(int file, T& to, std::uint64_t at) {
    return ::pread(file, &to, sizeof to, static_cast<off_t>(at)) == static_cast<ssize_t>(sizeof to);
}

// Looks through one table of symbols (elf(5)) for the function that `offset` lies in; its name's place.
std::optional<std::uint64_t> search_symbols(int file, const ElfW(Shdr) & table, std::uint64_t strings,
                                            std::uint64_t offset) {
    std::array<ElfW(Sym), 64> symbols;
    for (std::uint64_t at = 0; at < table.sh_size;) {
        const ssize_t got =
            ::pread(file, symbols.data(), sizeof symbols, static_cast<off_t>(table.sh_offset + at));
        if (got < static_cast<ssize_t>(sizeof symbols[0])) break;
        const auto count = static_cast<std::size_t>(got) / sizeof symbols[0];
        for (const ElfW(Sym) & symbol : std::span(symbols).first(count))
            if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && offset >= symbol.st_value &&
                offset < symbol.st_value + symbol.st_size)
                return strings + symbol.st_name;
        at += count * sizeof symbols[0];
    }
    return std::nullopt;
}

// The symbol's name, as long as it fits; empty when the file has none for this place.
std::string_view symbol_at(std::uint64_t offset, std::span<char> out) {
    const UniqueFd file(::open(image.path.data(), O_RDONLY | O_CLOEXEC));
    ElfW(Ehdr) head;
    if (!file || !read_at(file.get(), head, 0)) return {};
    for (const unsigned wanted : {unsigned{SHT_SYMTAB}, unsigned{SHT_DYNSYM}}) {
        for (unsigned i = 0; i < head.e_shnum; ++i) {
            ElfW(Shdr) table;
            ElfW(Shdr) strings;
            if (!read_at(file.get(), table, head.e_shoff + i * sizeof table)) break;
            if (table.sh_type != wanted || table.sh_link >= head.e_shnum) continue;
            if (!read_at(file.get(), strings, head.e_shoff + table.sh_link * sizeof strings)) break;
            const auto name = search_symbols(file.get(), table, strings.sh_offset, offset);
            if (!name) continue;
            const ssize_t got = ::pread(file.get(), out.data(), out.size(), static_cast<off_t>(*name));
            const std::string_view read(out.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
            return read.substr(0, read.find('\0'));
        }
    }
    return {};
}

}  // namespace

// Names of the Itanium C++ ABI: _Z, then [N [qualifiers]] {length identifier} [E] and the types.
std::string_view plain_symbol(std::string_view symbol, std::span<char> out) {
    Words words(out);
    std::string_view rest = symbol;
    if (!rest.starts_with("_Z")) return symbol;
    rest.remove_prefix(2);
    const bool nested = rest.starts_with('N');
    if (nested) rest.remove_prefix(1);
    do {
        rest.remove_prefix(std::min(rest.find_first_not_of("KVrOL"), rest.size()));
        std::size_t length = 0;
        const auto [end, failure] = std::from_chars(rest.data(), rest.data() + rest.size(), length);
        const auto digits = static_cast<std::size_t>(end - rest.data());
        if (failure != std::errc{} || length == 0 || length > rest.size() - digits) return symbol;
        const std::string_view identifier = rest.substr(digits, length);
        rest.remove_prefix(digits + length);
        if (identifier.starts_with("_GLOBAL_")) continue;
        if (words.size() > 0) words.add("::");
        words.add(identifier);
    } while (nested && !rest.empty() && rest.front() != 'E' && rest.front() != 'I');
    return words.size() > 0 ? words.view() : symbol;
}

void remember_plugin(const std::string& path, const void* anything) {
    if (path.size() >= image.path.size()) return;
    path.copy(image.path.data(), path.size());
    image.path[path.size()] = '\0';
    const auto wanted = reinterpret_cast<std::uintptr_t>(anything);
    const auto visit = [](dl_phdr_info* info, std::size_t, void* data) {
        Image found;
        found.base = info->dlpi_addr;
        found.begin = UINTPTR_MAX;
        for (const ElfW(Phdr) & part : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
            if (part.p_type != PT_LOAD) continue;
            found.begin = std::min(found.begin, found.base + part.p_vaddr);
            found.end = std::max(found.end, found.base + part.p_vaddr + part.p_memsz);
        }
        if (!found.holds(*static_cast<const std::uintptr_t*>(data))) return 0;
        image.base = found.base;
        image.begin = found.begin;
        image.end = found.end;
        return 1;
    };
    std::uintptr_t address = wanted;
    ::dl_iterate_phdr(visit, &address);
}

CrashPlace find_crash(const void* context) {
    CrashPlace place;
    const std::uintptr_t address = image.end == 0 ? 0 : plugin_address(context);
    if (address == 0) return place;
    std::array<char, 512> symbol;
    std::array<char, 160> plain;
    const std::uint64_t offset = address - image.base;
    const std::string_view name = plain_symbol(symbol_at(offset, symbol), plain);
    const std::string_view path(image.path.data());
    Words words(place.text);
    words.add(name.substr(0, plain.size()));
    words.add(name.empty() ? "" : " (");
    words.add(path.substr(path.rfind('/') + 1).substr(0, 64));
    words.add("+0x");
    words.add_hexadecimal(offset);
    words.add(name.empty() ? "" : ")");
    place.size = words.size();
    return place;
}

}  // namespace holdfast::host
