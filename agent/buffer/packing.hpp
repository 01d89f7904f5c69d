// How bodies lie on flash: compressed with Zstandard where that makes them smaller, which halves what is
// written. docs/buffer-format.md. The one file that includes <zstd.h> is packing.cpp. Passive; belongs to the
// database.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace holdfast {

class Packing {
  public:
    Packing();

    // The form for the disk; valid until the next call. Without memory to compress it is the body itself.
    std::string_view pack(std::string_view body);
    // The body again; of any bytes, also damaged ones. Fails with corrupt.
    Result<std::string> unpack(std::string_view stored);

  private:
    struct Free {
        void operator()(ZSTD_CCtx_s* context) const;
        void operator()(ZSTD_DCtx_s* context) const;
    };
    std::unique_ptr<ZSTD_CCtx_s, Free> compress_;
    std::unique_ptr<ZSTD_DCtx_s, Free> decompress_;
    std::string packed_;
};

}  // namespace holdfast
