#include "model/batch.hpp"

#include "base/utf8.hpp"

namespace holdfast {
namespace {

// A step is some hours at most; what is beyond a year is damage.
constexpr std::uint64_t most_step_s = 366 * 24 * 3600;

}  // namespace

std::string_view to_string(GapReason reason) {
    switch (reason) {
        case GapReason::max_size:
            return "max_size";
        case GapReason::max_age:
            return "max_age";
        case GapReason::disk_full:
            return "disk_full";
        case GapReason::damaged:
            return "damaged";
        case GapReason::refused:
            return "refused";
    }
    return "damaged";
}

std::string encode_body_head(std::span<const TagView> tags) {
    std::string out;
    wire::put_byte(out, batch_body_version);
    wire::put_varint(out, tags.size());
    for (const TagView& tag : tags) {
        wire::put_text(out, tag.key);
        wire::put_text(out, tag.value);
    }
    return out;
}

std::string encode_body_head(const Tags& tags) {
    return encode_body_head(views_of(tags));
}

std::string encode_thinned_head(std::span<const TagView> tags, std::chrono::seconds step) {
    std::string out = encode_body_head(tags);
    wire::put_varint(out, static_cast<std::uint64_t>(step.count()));
    return out;
}

std::string encode_gap_body(const Tags& tags, GapReason reason) {
    std::string out = encode_body_head(tags);
    wire::put_byte(out, static_cast<std::uint8_t>(reason));
    return out;
}

Result<BatchBody> decode_body(BatchKind kind, std::string_view body) {
    wire::Cursor in(body);
    const Error damaged{Error::Kind::corrupt, "damaged or unknown batch body"};
    if (in.byte() != batch_body_version) return damaged;
    BatchBody decoded;
    const std::uint64_t tag_count = in.varint();
    if (tag_count > max_tags) return damaged;
    for (std::uint64_t i = 0; i < tag_count; ++i) {
        const std::string_view key = in.text(max_name_bytes);
        const std::string_view value = in.text(max_name_bytes);
        if (key.empty() || !is_plain_text(key) || !is_plain_text(value)) return damaged;
        decoded.tags.push_back({key, value});
    }
    if (kind == BatchKind::gap) {
        const std::uint8_t reason = in.byte();
        if (reason > static_cast<std::uint8_t>(GapReason::refused) || !in.empty()) return damaged;
        decoded.reason = static_cast<GapReason>(reason);
    } else {
        if (kind == BatchKind::thinned) {
            const std::uint64_t step_s = in.varint();
            if (step_s == 0 || step_s > most_step_s) return damaged;
            decoded.step = std::chrono::seconds(step_s);
        }
        decoded.stream = in.bytes(in.left());
    }
    if (!in.ok()) return damaged;
    return decoded;
}

}  // namespace holdfast
