#include "buffer/packing.hpp"

#include <zstd.h>

namespace holdfast {
namespace {

// The first byte of what is stored; a body that is stored as it is begins with its own version, 1.
constexpr char compressed = 2;
// Five microseconds for a body of 100 readings; level 1 takes twice that and saves nothing more.
constexpr int level = -1;
// Below this the frame around it outweighs what is saved.
constexpr std::size_t least_bytes = 64;
// No batch comes near; what claims more is damaged.
constexpr unsigned long long most_bytes = 128ULL * 1024 * 1024;

}  // namespace

void Packing::Free::operator()(ZSTD_CCtx_s* context) const {
    ZSTD_freeCCtx(context);
}

void Packing::Free::operator()(ZSTD_DCtx_s* context) const {
    ZSTD_freeDCtx(context);
}

Packing::Packing() : compress_(ZSTD_createCCtx()), decompress_(ZSTD_createDCtx()) {
    if (compress_) ZSTD_CCtx_setParameter(compress_.get(), ZSTD_c_compressionLevel, level);
}

std::string_view Packing::pack(std::string_view body) {
    if (!compress_ || body.size() < least_bytes) return body;
    packed_.resize(1 + ZSTD_compressBound(body.size()));
    packed_[0] = compressed;
    const std::size_t size =
        ZSTD_compress2(compress_.get(), packed_.data() + 1, packed_.size() - 1, body.data(), body.size());
    if (ZSTD_isError(size) || size + 1 >= body.size()) return body;
    return std::string_view(packed_).substr(0, size + 1);
}

Result<std::string> Packing::unpack(std::string_view stored) {
    if (stored.empty() || stored[0] != compressed) return std::string(stored);
    stored.remove_prefix(1);
    const Error damaged{Error::Kind::corrupt, "a body can't be decompressed"};
    const unsigned long long size = ZSTD_getFrameContentSize(stored.data(), stored.size());
    // Unknown and unreadable sizes are above as well.
    if (size > most_bytes) return damaged;
    if (!decompress_) decompress_.reset(ZSTD_createDCtx());
    if (!decompress_) return Error{Error::Kind::retry, "no memory to decompress a body"};
    std::string body(static_cast<std::size_t>(size), '\0');
    const std::size_t got =
        ZSTD_decompressDCtx(decompress_.get(), body.data(), body.size(), stored.data(), stored.size());
    if (ZSTD_isError(got) || got != body.size()) return damaged;
    return body;
}

}  // namespace holdfast
