#include "forward/resolver.hpp"

#include <array>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>

namespace holdfast {

const sockaddr* Address::get() const {
    return static_cast<const sockaddr*>(static_cast<const void*>(&storage));
}

std::string Address::text() const {
    std::array<char, NI_MAXHOST> name{};
    const int rc = ::getnameinfo(get(), length, name.data(), name.size(), nullptr, 0, NI_NUMERICHOST);
    return rc == 0 ? name.data() : "an unknown address";
}

struct Resolver::Lookup {
    std::string host;
    std::uint16_t port = 0;
    std::mutex mutex;
    std::condition_variable finished;
    bool done = false;
    int rc = 0;
    std::vector<Address> addresses;

    void run() {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* list = nullptr;
        const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
        const std::lock_guard lock(mutex);
        rc = code;
        for (const addrinfo* item = code == 0 ? list : nullptr; item != nullptr; item = item->ai_next) {
            Address& address = addresses.emplace_back();
            address.length = item->ai_addrlen;
            std::memcpy(&address.storage, item->ai_addr, item->ai_addrlen);
        }
        if (code == 0) ::freeaddrinfo(list);
        done = true;
        finished.notify_all();
    }
};

Result<std::vector<Address>> Resolver::resolve(const std::string& host, std::uint16_t port,
                                               MonoTime deadline) {
    if (!pending_ || pending_->host != host || pending_->port != port) {
        const auto started = std::make_shared<Lookup>();
        started->host = host;
        started->port = port;
        try {
            // Nobody can end getaddrinfo, so nobody waits for the thread; the look-up is owned by both sides.
            std::thread([started] { started->run(); }).detach();
        } catch (const std::system_error& error) {
            return system_error(Error::Kind::retry, "cannot start to resolve " + host, error.code().value());
        }
        pending_ = started;
    }
    const auto lookup = pending_;
    std::unique_lock lock(lookup->mutex);
    if (!lookup->finished.wait_until(lock, deadline, [&] { return lookup->done; }))
        return Error{Error::Kind::retry, "cannot resolve " + host + ": the name server does not answer",
                     EAI_AGAIN};
    pending_.reset();
    if (lookup->rc != 0)
        return Error{Error::Kind::retry, "cannot resolve " + host + ": " + ::gai_strerror(lookup->rc),
                     lookup->rc};
    if (lookup->addresses.empty())
        return Error{Error::Kind::retry, "cannot resolve " + host + ": it has no address"};
    return std::move(lookup->addresses);
}

}  // namespace holdfast
