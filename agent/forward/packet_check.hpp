// What comes from the broker, looked at before Paho reads it: Paho C 1.3.12 believes the lengths inside a
// packet, and one that is wrong ends the process.
//
// Passive. Told of the bytes of one connection in their order; it holds at most one packet, and of a PUBLISH
// what stands before the payload. After the first fault it takes nothing more.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace holdfast {

class PacketCheck {
  public:
    explicit PacketCheck(Protocol protocol) : is_v5_(protocol != Protocol::v3_1_1) {}

    // False: with these bytes a packet is there, or begun, that no broker may send; fault() says why. Bytes
    // that complete a bad packet must not be passed on.
    bool take(std::string_view bytes);
    const std::string& fault() const { return fault_; }

  private:
    void take_length(unsigned char byte);
    void check_body();
    const char* fault_of_header() const;
    const char* fault_of_body() const;
    int type() const { return first_ >> 4; }

    enum class Expects { type, length, body };
    const bool is_v5_;
    Expects expects_ = Expects::type;
    bool connected_ = false;  // CONNACK was there
    unsigned char first_ = 0;
    std::uint32_t length_ = 0;
    unsigned shift_ = 0;
    std::uint32_t left_ = 0;  // of the body, to come
    std::string body_;        // of a long PUBLISH only the beginning
    bool checked_ = false;    // the beginning of it was
    std::string fault_;
};

}  // namespace holdfast
