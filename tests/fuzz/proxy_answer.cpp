// An HTTP proxy's answer to CONNECT: the first byte says in which pieces the rest comes. However it is cut,
// the same is read, and nothing behind it is taken.
#include "forward/proxy_answer.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace {

using holdfast::ProxyAnswer;

void check(bool holds) {
    if (!holds) std::abort();
}

struct Read {
    ProxyAnswer answer;
    std::size_t taken = 0;
};

Read read_in_pieces(std::string_view bytes, std::size_t piece) {
    Read read;
    while (read.answer.state() == ProxyAnswer::State::incomplete && read.taken < bytes.size()) {
        const std::string_view next = bytes.substr(read.taken, piece);
        const std::size_t taken = read.answer.take(next);
        check(taken <= next.size());
        check(taken == next.size() || read.answer.state() != ProxyAnswer::State::incomplete);
        read.taken += taken;
    }
    return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Read whole = read_in_pieces(bytes, bytes.size());
    const Read cut = read_in_pieces(bytes, std::size_t{data[0]} + 1);
    check(whole.answer.state() == cut.answer.state() && whole.taken == cut.taken);
    check(whole.answer.status_text() == cut.answer.status_text());
    check(whole.answer.schemes() == cut.answer.schemes());
    check(whole.taken <= ProxyAnswer::most_bytes);
    if (whole.answer.state() != ProxyAnswer::State::complete) return 0;
    check(whole.answer.status() >= 100 && whole.answer.status() <= 999);
    check(bytes.substr(0, whole.taken).ends_with('\n'));
    for (const char c : whole.answer.status_text())
        check(c >= ' ' && c <= '~');
    return 0;
}
