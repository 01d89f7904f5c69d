#include "shared/sensors/values.hpp"

#include <algorithm>
#include <utility>

namespace sensors {

void Values::clear() {
    reading_.clear();
    texts_.clear();
    ++sample_;
}

void Values::set(Name name, const char* unit, double value) {
    put(name, unit, value);
}

void Values::set(Name name, const char* unit, std::int64_t value) {
    put(name, unit, value);
}

void Values::set(Name name, const char* unit, bool value) {
    put(name, unit, value);
}

void Values::set(Name name, const char* unit, std::string text) {
    put(name, unit, std::string_view(texts_.emplace_back(std::move(text))));
}

template <typename T>
void Values::put(Name name, const char* unit, T value) {
    Known* known = find_or_declare<T>(name, unit);
    if (known == nullptr || known->last_sample == sample_) return;
    known->last_sample = sample_;
    reading_.set(holdfast::plugin::Channel<T>{known->index}, value);
}

template <typename T>
Values::Known* Values::find_or_declare(Name name, const char* unit) {
    name_.clear();
    for (const std::string_view part : name)
        name_ += part;
    if (const auto found = channels_.find(name_); found != channels_.end()) return &found->second;
    if (full_) return nullptr;
    try {
        return &channels_.emplace(name_, Known{host_.channel<T>(name_, unit).index, 0}).first->second;
    } catch (const std::system_error& error) {
        full_ = error.code().value() == ENOSPC;
        host_.log(HOLDFAST_LOG_WARNING, std::string(error.what()) + ": leaving it out");
        return nullptr;
    }
}

std::string channel_word(std::string_view raw) {
    std::string word(raw);
    for (char& c : word) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        if (!kept) c = '_';
    }
    return word;
}

const std::string& UniqueNames::make(std::string_view raw) {
    const std::string word = channel_word(raw);
    std::string name = word;
    for (int number = 2; is_taken(name); ++number)
        name = word + "_" + std::to_string(number);
    return taken_.emplace_back(std::move(name));
}

bool UniqueNames::is_taken(std::string_view name) const {
    return std::find(taken_.begin(), taken_.end(), name) != taken_.end();
}

}  // namespace sensors
