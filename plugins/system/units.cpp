// States of systemd units.
#include <algorithm>
#include <stdexcept>

#include "bus.hpp"
#include "source.hpp"

namespace system_input {

namespace {

// systemd.unit(5): what a unit's name may hold, and `*` and `?` of a pattern.
bool can_be_a_unit(std::string_view name) {
    const auto fits = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view(":-_.\\@*?").find(c) != std::string_view::npos;
    };
    return !name.empty() && name.size() < 256 && std::all_of(name.begin(), name.end(), fits);
}

// As systemctl(1): what has no type is a service.
std::string with_type(const std::string& name) {
    constexpr std::string_view types[] = {".service", ".socket", ".device", ".mount", ".automount", ".swap",
                                          ".target",  ".path",   ".timer",  ".slice", ".scope"};
    const bool has_type = std::any_of(std::begin(types), std::end(types),
                                      [&](std::string_view type) { return name.ends_with(type); });
    return has_type || name.ends_with('*') ? name : name + ".service";
}

class Units final : public Source {
  public:
    explicit Units(const std::vector<std::string>& names) {
        for (const std::string& name : names) {
            if (!can_be_a_unit(name))
                holdfast::plugin::fail(EINVAL, "units: '" + name + "' is not the name of a unit");
            names_.push_back(with_type(name));
        }
    }

  private:
    void sample(SensorFiles& files, double elapsed_s, Values& values) override {
        if (elapsed_s <= 0) return;  // there is no base line to take
        const std::string root = files.is_live() ? std::string() : files.path({});
        trouble_.clear();
        taken_.clear();
        try {
            for (const Unit& unit : ask_for_units(root, names_))
                put(unit, values);
        } catch (const std::runtime_error& error) {
            trouble_ = std::string("units: ") + error.what();
        }
    }

    void put(const Unit& unit, Values& values) {
        constexpr std::string_view service = ".service";
        std::string_view name = unit.name;
        if (name.ends_with(service)) name.remove_suffix(service.size());
        const std::string word = taken_.make(name);
        values.set({"unit.", word, ".active"}, "", unit.active == "active" || unit.active == "reloading");
        values.set({"unit.", word, ".state"}, "", unit.active);
        values.set({"unit.", word, ".sub"}, "", unit.sub);
        values.set({"unit.", word, ".load"}, "", unit.load);
    }

    std::string trouble() const override { return trouble_; }

    std::vector<std::string> names_;
    UniqueNames taken_;
    std::string trouble_;
};

}  // namespace

std::unique_ptr<Source> make_units(const std::vector<std::string>& names) {
    return std::make_unique<Units>(names);
}

}  // namespace system_input
