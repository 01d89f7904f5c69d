// What the seams around Paho share: whose thread they are called on, what Paho's threads wait for, and the
// dials. Included by the files that define the seams only.
#pragma once

#include <dlfcn.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "forward/outgoing_packets.hpp"
#include "forward/paho_seams.hpp"
#include "forward/tls_handshake.hpp"

namespace holdfast {

// The definition that comes after ours: the library's.
template <typename Function>
Function* next_definition(const char* name) {
    void* symbol = ::dlsym(RTLD_NEXT, name);
    if (symbol == nullptr) std::abort();  // a libc or libssl without it cannot have been linked
    return reinterpret_cast<Function*>(symbol);
}

enum class PahoThread { other, sender, receiver };

inline PahoThread this_thread() {
    thread_local const PahoThread which = [] {
        std::array<char, 16> name{};
        ::pthread_getname_np(::pthread_self(), name.data(), name.size());
        const std::string_view text = name.data();  // MQTTAsyncUtils.c: Thread_set_name
        if (text == "MQTTAsync_send") return PahoThread::sender;
        return text == "MQTTAsync_rcv" ? PahoThread::receiver : PahoThread::other;
    }();
    return which;
}

// Wakes Paho's receiving thread, wherever it waits.
class ReceiverBell {
  public:
    int fd() const { return fd_.get(); }
    void ring() const {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(fd_.get(), &one, sizeof one);
    }
    void silence() const {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = ::read(fd_.get(), &count, sizeof count);
    }

  private:
    UniqueFd fd_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
};

// Lives as long as the process: Paho's threads do.
struct Surroundings {
    ReceiverBell bell;
    std::atomic<int> hurries = 0;
    std::atomic<bool> write_blocked = false;  // Paho holds the rest of a message that the socket did not take
    std::atomic<bool> sender_held_up = false;  // by that

    // Paho's static condition variable and its mutex (Thread.c), once the sender has waited on it.
    std::atomic<pthread_cond_t*> sender_condition = nullptr;
    std::atomic<pthread_mutex_t*> sender_mutex = nullptr;
    std::atomic<bool> sender_has_work = false;
    std::atomic<bool> sender_waits = false;

    std::mutex mutex;  // of what follows
    std::vector<Dial*> dials;
};

Surroundings& surroundings();
void note_blocked_write();
bool is_tcp(int fd);

// What the seams need of a dial; the SSL object holds on to it, so that it outlives the Dial itself.
struct Handshake {
    std::string host;
    TlsConfig tls;
    TlsWitness witness;
    std::mutex mutex;      // of what follows
    Dial* dial = nullptr;  // null: it is gone
    OutgoingPackets outgoing;
};

struct Dial::Seams {
    static bool fits(const Dial& dial, std::string_view host, std::uint16_t port) {
        return dial.stage_ == Stage::given && dial.server_.host == host && dial.server_.port == port;
    }
    // Gives the socket to Paho under the descriptor that Paho made for it.
    static bool take(std::string_view host, std::uint16_t port, int fd) {
        const std::lock_guard lock(surroundings().mutex);
        for (Dial* dial : surroundings().dials) {
            if (!fits(*dial, host, port)) continue;
            if (::dup3(dial->socket_.get(), fd, O_CLOEXEC) < 0) return false;
            dial->taken_as_ = fd;
            dial->stage_ = Stage::taken;
            return true;
        }
        return false;
    }
    static bool is_expected(std::string_view host) {
        const std::lock_guard lock(surroundings().mutex);
        return std::any_of(surroundings().dials.begin(), surroundings().dials.end(),
                           [&](const Dial* dial) { return fits(*dial, host, dial->server_.port); });
    }
    // At the first call for this SSL object.
    static Handshake* begin_handshake(SSL* ssl);
    static void failed(Handshake& handshake) {
        LinkFailure failure = handshake_failure(handshake.tls, handshake.host, handshake.witness);
        const std::lock_guard lock(handshake.mutex);
        if (handshake.dial == nullptr) return;
        const std::lock_guard dial_lock(handshake.dial->mutex_);
        if (!handshake.dial->tls_failure_) handshake.dial->tls_failure_ = std::move(failure);
    }
    static void secured(Handshake& handshake, SSL* ssl) {
        TlsSession session = describe_session(ssl);
        const std::lock_guard lock(handshake.mutex);
        if (handshake.dial == nullptr) return;
        const std::lock_guard dial_lock(handshake.dial->mutex_);
        handshake.dial->tls_session_ = std::move(session);
        handshake.dial->stage_ = Stage::secured;
    }
    static int connect(SSL* ssl);
    static int read(SSL* ssl, void* buffer, int count);
    static ssize_t receive(int fd, void* buffer, std::size_t count, int flags);
    // False: Paho must not see these bytes.
    static bool passes(Dial& dial, const void* bytes, std::size_t count) {
        const std::lock_guard lock(dial.mutex_);
        return !dial.check_ || dial.check_->take({static_cast<const char*>(bytes), count});
    }
    static int write(SSL* ssl, std::string_view packet);
};

}  // namespace holdfast
