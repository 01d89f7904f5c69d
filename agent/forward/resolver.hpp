// Name resolution with a deadline: getaddrinfo has none, and behind a dead DNS server it takes half a minute
// and more.
//
// Each thread has its own. A look-up that is late goes on by itself; asking again for the same name waits for
// that one, so that no more than one per name hangs.
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace holdfast {

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;

    const sockaddr* get() const;
    int family() const { return storage.ss_family; }
    std::string text() const;  // "192.0.2.1", "2001:db8::1"
};

class Resolver {
  public:
    // At least one address, in the order of the system's preference. Fails with retry.
    Result<std::vector<Address>> resolve(const std::string& host, std::uint16_t port, MonoTime deadline);

  private:
    struct Lookup;
    std::shared_ptr<Lookup> pending_;
};

}  // namespace holdfast
