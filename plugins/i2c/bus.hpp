// A chip's address on an I2C bus, and what can be said to it (Documentation/i2c/dev-interface.rst).
//
// Each transfer is whole: the kernel lets nobody in between its start and its stop. A conversation of several
// transfers (ask for a measurement, wait, fetch it) is not, and another input, in a process of its own, may
// talk to the same chip. converse() therefore holds a lock of the bus device's byte with the number of the
// address (fcntl(2), F_OFD_SETLK): only those that talk to the same chip wait for each other, the bus is free
// while a chip measures, and the kernel takes the lock back from a process that dies. It binds those that
// take it, and no other programs.
#pragma once

#include <linux/i2c.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "bus_place.hpp"
#include "shared/device/control.hpp"
#include "shared/device/fd.hpp"

namespace i2c_input {

// A transfer, or what it brought, that was not as it should be; converse() tries again.
struct BusError {
    int code;
    std::string text;
};

using Pause = std::function<void(std::int64_t us)>;
void pause(std::int64_t us);

class Bus {
  public:
    // Throws std::system_error: ENODEV (no such bus), EBUSY (a driver of the kernel has the address), EACCES.
    Bus(const std::string& root, const std::string& bus, std::uint16_t address,
        const device::Control& control, Pause pause);

    // Throws EOPNOTSUPP and says what is missing when the bus can't do all of I2C_FUNC_...
    void require(unsigned long functions) const;

    // "0x44 on i2c-1"
    const std::string& where() const { return where_; }
    // Transfers that failed, those that were tried again with success included.
    std::int64_t errors() const { return errors_; }

    // Returns what `talk` returns, tried up to three times. Throws std::system_error: ENODEV when the chip
    // does not answer, EIO when it answers wrongly, EBUSY when others have held it for two seconds.
    template <typename Talk>
    auto converse(Talk talk) {
        const Turn turn(*this);
        for (int attempt = 1;; ++attempt) {
            try {
                return talk();
            } catch (const BusError& error) {
                after_error(error, attempt);
            }
        }
    }

    // --- within converse(); each throws BusError
    std::uint8_t read_byte(std::uint8_t reg);
    std::uint16_t read_word(std::uint8_t reg);  // the first byte is the high one, as most chips send
    std::uint16_t read_word_low_first(std::uint8_t reg);              // as SMBus has it
    void read_block(std::uint8_t reg, std::span<std::uint8_t> into);  // at most 32 bytes
    void write_byte(std::uint8_t reg, std::uint8_t value);
    void write_word(std::uint8_t reg, std::uint16_t value);  // high byte first
    // Without a register: chips with commands. Need I2C_FUNC_I2C.
    void send(std::span<const std::uint8_t> bytes);
    void receive(std::span<std::uint8_t> into);
    void wait_us(std::int64_t us) const { pause_(us); }

  private:
    // Holds the lock of the address.
    class Turn {
      public:
        explicit Turn(Bus& bus);
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        ~Turn();

      private:
        Bus& bus_;
    };

    int lock(short type) const;
    void after_error(const BusError& error, int attempt);
    void smbus(char direction, std::uint8_t reg, std::uint32_t size, i2c_smbus_data& data);
    void transfer(std::uint16_t flags, std::uint8_t* bytes, std::size_t count);

    BusPlace place_;
    std::uint16_t address_;
    const device::Control& control_;
    Pause pause_;
    device::Fd fd_;
    std::string where_;
    std::int64_t errors_ = 0;
};

// "0x44"
std::string hex(unsigned value);

}  // namespace i2c_input
