#include "model/reading.hpp"

#include <algorithm>

namespace holdfast {

Tags merged_tags(const Tags& input, const Tags& agent) {
    Tags tags = input;
    for (const auto& tag : agent) {
        const bool own =
            std::any_of(input.begin(), input.end(), [&](const auto& t) { return t.first == tag.first; });
        if (!own) tags.push_back(tag);
    }
    std::sort(tags.begin(), tags.end());
    return tags;
}

std::vector<TagView> views_of(const Tags& tags) {
    std::vector<TagView> views;
    views.reserve(tags.size());
    for (const auto& [key, value] : tags)
        views.push_back({key, value});
    return views;
}

}  // namespace holdfast
