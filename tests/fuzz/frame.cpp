// Any bytes as a frame, from either side: decoding fails or gives a frame that is the same after another
// round.
#include <cstdlib>

#include "base/utf8.hpp"
#include "model/frame.hpp"

using namespace holdfast;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto frame = frame::decode_from_host(input)) {
        const std::string bytes = frame::encode(*frame);
        const auto again = frame::decode_from_host(bytes);
        require(again && frame::encode(*again) == bytes);
        if (const auto* line = std::get_if<frame::LogLine>(&*frame)) require(is_utf8(line->text));
    }
    if (const auto frame = frame::decode_to_host(input)) {
        const std::string bytes = frame::encode(*frame);
        const auto again = frame::decode_to_host(bytes);
        require(again && frame::encode(*again) == bytes);
    }
    return 0;
}
