// The kernel's side of an I2C bus, in place of ioctl(2): it plays a script of transactions, and fails the
// test when it is told something else than the script has.
#pragma once

#include <errno.h>
#include <gtest/gtest.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "i2c/bus.hpp"
#include "shared/device/control.hpp"

namespace holdfast::test {

using Bytes = std::vector<std::uint8_t>;

// From start to stop: what is written, then what is read.
struct Transaction {
    Bytes write;
    Bytes read;
    int error = 0;              // instead: a negative errno
    std::int64_t after_us = 0;  // a chip that is asked sooner after the last one does not answer
};

class FakeI2c {
  public:
    device::Control control() {
        return [this](int, unsigned long request, void* argument) { return call(request, argument); };
    }
    i2c_input::Pause pause() {
        return [this](std::int64_t us) {
            waited_us += us;
            on_pause();
        };
    }
    void expect(std::initializer_list<Transaction> transactions) {
        script.insert(script.end(), transactions.begin(), transactions.end());
    }

    // --- what the test sets and sees
    unsigned long functions = I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL;
    bool has_driver = false;
    std::uintptr_t address = 0;
    std::deque<Transaction> script;
    std::int64_t waited_us = 0;  // since the last transaction
    std::function<void()> on_pause = [] {};

  private:
    int call(unsigned long request, void* argument) {
        switch (request) {
            case I2C_FUNCS:
                *static_cast<unsigned long*>(argument) = functions;
                return 0;
            case I2C_SLAVE:
                address = reinterpret_cast<std::uintptr_t>(argument);
                return has_driver ? -EBUSY : 0;
            case I2C_SMBUS:
                return smbus(*static_cast<i2c_smbus_ioctl_data*>(argument));
            case I2C_RDWR:
                return rdwr(*static_cast<i2c_rdwr_ioctl_data*>(argument));
            default:
                return -ENOTTY;
        }
    }

    // Plays the next transaction; a negative errno, or how many bytes were read.
    int play(const Bytes& written, std::uint8_t* into, std::size_t wanted) {
        if (script.empty()) {
            ADD_FAILURE() << "a transaction too many: " << testing::PrintToString(written);
            return -EREMOTEIO;
        }
        const Transaction next = script.front();
        script.pop_front();
        EXPECT_EQ(written, next.write);
        const std::int64_t waited = std::exchange(waited_us, 0);
        if (waited < next.after_us) return -EREMOTEIO;
        if (next.error != 0) return next.error;
        EXPECT_LE(next.read.size(), wanted);
        std::copy_n(next.read.begin(), std::min(next.read.size(), wanted), into);
        return static_cast<int>(next.read.size());
    }

    // As the kernel makes SMBus of plain transfers (i2c_smbus_xfer_emulated()).
    int smbus(const i2c_smbus_ioctl_data& call) {
        Bytes written = {call.command};
        std::uint8_t read[I2C_SMBUS_BLOCK_MAX] = {};
        i2c_smbus_data& data = *call.data;
        const bool reads = call.read_write == I2C_SMBUS_READ;
        std::size_t count = call.size == I2C_SMBUS_BYTE_DATA ? 1 : 2;
        if (call.size == I2C_SMBUS_I2C_BLOCK_DATA) count = data.block[0];
        if (!reads && count == 1) written.push_back(data.byte);
        if (!reads && count == 2) {
            written.push_back(static_cast<std::uint8_t>(data.word & 0xFF));
            written.push_back(static_cast<std::uint8_t>(data.word >> 8));
        }
        const int result = play(written, read, reads ? count : 0);
        if (result < 0 || !reads) return std::min(result, 0);
        if (call.size == I2C_SMBUS_I2C_BLOCK_DATA) {
            data.block[0] = static_cast<std::uint8_t>(result);
            std::copy_n(read, result, data.block + 1);
        } else if (count == 1) {
            data.byte = read[0];
        } else {
            data.word = static_cast<std::uint16_t>(read[0] | read[1] << 8);
        }
        return 0;
    }

    int rdwr(const i2c_rdwr_ioctl_data& call) {
        EXPECT_EQ(call.nmsgs, 1U);
        i2c_msg& message = call.msgs[0];
        EXPECT_EQ(message.addr, address);
        const bool reads = (message.flags & I2C_M_RD) != 0;
        const Bytes written = reads ? Bytes() : Bytes(message.buf, message.buf + message.len);
        const int result = play(written, message.buf, reads ? message.len : 0U);
        if (result < 0) return result;
        return reads && result < message.len ? 0 : 1;  // the adapter stopped within the message
    }
};

}  // namespace holdfast::test
