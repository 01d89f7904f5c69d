#include "base/result.hpp"

#include <cstring>

namespace holdfast {

Error system_error(Error::Kind kind, std::string text, int code) {
    text += ": ";
    text += ::strerrordesc_np(code) ? ::strerrordesc_np(code) : "unknown error";
    return Error{kind, std::move(text), code};
}

}  // namespace holdfast
