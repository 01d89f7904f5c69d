// When to say that a certificate runs out: once a day from 30 days before, and once a day when it is over.
//
// Passive; one per certificate, so that each is said for itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace holdfast {

class ExpiryNotice {
  public:
    // `whose`: "our certificate", "the certificate of the server".
    explicit ExpiryNotice(std::string whose) : whose_(std::move(whose)) {}

    // What to warn of now, if anything. A clock that was never set is not believed.
    std::optional<std::string> look(std::int64_t ends_wall_us, std::int64_t wall_us);

  private:
    const std::string whose_;
    std::int64_t said_of_ = 0;  // the end that was said
    std::int64_t said_at_ = 0;  // days left when it was
};

}  // namespace holdfast
