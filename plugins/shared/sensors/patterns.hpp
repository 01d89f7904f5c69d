// What an option list selects: names, in which `*` stands for anything and `?` for one character. A pattern
// that begins with `!` leaves out what the others take. Capital and small letters are the same.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace sensors {

class Patterns {
  public:
    // Throws EINVAL, naming the option, when the list or a pattern in it is empty.
    Patterns(std::string_view option, const std::vector<std::string>& patterns);

    // Whether a thing that goes by these names is selected: one of them is taken, and none is left out. A
    // list of nothing but `!` patterns takes all the others.
    bool select(std::initializer_list<std::string_view> names) const;
    // Likewise, but a pattern that takes everything is not enough.
    bool select_by_name(std::initializer_list<std::string_view> names) const;

  private:
    std::vector<std::string> taken_;
    std::vector<std::string> named_;  // those of them that do not take everything
    std::vector<std::string> left_out_;
};

}  // namespace sensors
