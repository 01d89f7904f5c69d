#include "bus.hpp"

#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <string.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include <holdfast/plugin.hpp>

namespace i2c_input {

using holdfast::plugin::fail;

namespace {

constexpr int most_attempts = 3;
constexpr std::int64_t before_next_attempt_us = 1000;
constexpr std::int64_t longest_turn_us = 2'000'000;

struct Function {
    unsigned long bits;
    const char* name;
};

constexpr Function functions[] = {
    {I2C_FUNC_I2C, "plain I2C transfers (I2C_RDWR)"},
    {I2C_FUNC_SMBUS_BYTE_DATA, "byte registers (SMBus byte data)"},
    {I2C_FUNC_SMBUS_WORD_DATA, "word registers (SMBus word data)"},
    {I2C_FUNC_SMBUS_READ_I2C_BLOCK, "blocks of registers (SMBus I2C block)"},
};

// Who is not there, or does not want to be talked to: Documentation/i2c/fault-codes.rst; EREMOTEIO is what
// several adapters say instead of ENXIO (i2c-bcm2835 among them).
bool is_no_answer(int code) {
    return code == ENXIO || code == EREMOTEIO;
}

// Nothing that another attempt would change.
bool is_final(int code) {
    return code == EOPNOTSUPP || code == EINVAL || code == ENOTTY || code == ENODEV || code == EBADF;
}

}  // namespace

void pause(std::int64_t us) {
    timespec left{static_cast<time_t>(us / 1'000'000), static_cast<long>(us % 1'000'000 * 1000)};
    while (::clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
    }
}

std::string hex(unsigned value) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text = "0x";
    for (int shift = value > 0xFF ? 12 : 4; shift >= 0; shift -= 4)
        text += digits[value >> shift & 15];
    return text;
}

Bus::Bus(const std::string& root, const std::string& bus, std::uint16_t address,
         const device::Control& control, Pause pause)
    : place_(find_bus(root, bus)), address_(address), control_(control), pause_(std::move(pause)) {
    where_ = hex(address) + " on " + place_.name;
    fd_ = device::Fd(::open(place_.node.c_str(), O_RDWR | O_CLOEXEC));
    if (fd_.get() < 0 && errno == ENOENT)
        fail(ENODEV,
             "there is no " + place_.node +
                 ": the package holdfast-bus-i2c shows it to the service; or load the module i2c-dev");
    if (fd_.get() < 0)
        fail(errno, place_.node + " cannot be opened: the package holdfast-bus-i2c opens it to the service");
    // I2C_RDWR alone would not notice that a driver has the address (i2cdev_ioctl()).
    const int result = control_(fd_.get(), I2C_SLAVE, reinterpret_cast<void*>(std::uintptr_t{address}));
    if (result == -EBUSY) {
        const std::string driver = driver_at(root, place_, address);
        fail(EBUSY, where_ + " belongs to the kernel's driver " +
                        (driver.empty() ? "for it" : "'" + driver + "'") +
                        ": read it through the input hwmon or iio, or unbind the driver");
    }
    if (result < 0) fail(-result, where_ + " cannot be addressed");
}

void Bus::require(unsigned long needed) const {
    unsigned long available = 0;
    if (const int result = control_(fd_.get(), I2C_FUNCS, &available); result < 0)
        fail(result == -ENOTTY ? ENODEV : -result,
             place_.node + " does not say what it can do: is it an I2C bus?");
    std::string missing;
    for (const Function& function : functions)
        if ((needed & function.bits & ~available) != 0)
            missing += std::string(missing.empty() ? "" : " and ") + function.name;
    if (!missing.empty())
        fail(EOPNOTSUPP, "the chip needs " + missing + ", which " + place_.name +
                             (place_.adapter.empty() ? "" : " (" + place_.adapter + ")") + " cannot do");
}

// There is no way to wait for a lock for a limited time, so it is asked for again and again; who holds one
// does so for some milliseconds.
Bus::Turn::Turn(Bus& bus) : bus_(bus) {
    for (std::int64_t waited = 0, step = 500;;
         waited += step, step = std::min<std::int64_t>(step * 2, 16'000)) {
        const int code = bus_.lock(F_WRLCK);
        if (code == 0) return;
        if (code != EAGAIN && code != EACCES) fail(code, bus_.where_ + " cannot be locked");
        if (waited >= longest_turn_us)
            fail(EBUSY, bus_.where_ + " has been held by another input for more than 2 s");
        bus_.pause_(step);
    }
}

Bus::Turn::~Turn() {
    bus_.lock(F_UNLCK);
}

int Bus::lock(short type) const {
    struct flock range {};
    range.l_type = type;
    range.l_whence = SEEK_SET;
    range.l_start = address_;
    range.l_len = 1;
    return ::fcntl(fd_.get(), F_OFD_SETLK, &range) == 0 ? 0 : errno;
}

void Bus::after_error(const BusError& error, int attempt) {
    ++errors_;
    if (attempt < most_attempts && !is_final(error.code)) {
        pause_(before_next_attempt_us * attempt);
        return;
    }
    if (is_no_answer(error.code))
        fail(ENODEV,
             "there is no answer from " + where_ + ": is the chip connected, powered, and at this address?");
    if (error.code == ENODEV) fail(ENODEV, where_ + ": the bus is gone");
    fail(is_final(error.code) ? EOPNOTSUPP : EIO, where_ + ": " + error.text);
}

void Bus::smbus(char direction, std::uint8_t reg, std::uint32_t size, i2c_smbus_data& data) {
    i2c_smbus_ioctl_data call{};
    call.read_write = static_cast<__u8>(direction);
    call.command = reg;
    call.size = size;
    call.data = &data;
    if (const int result = control_(fd_.get(), I2C_SMBUS, &call); result < 0)
        throw BusError{-result, std::string(direction == I2C_SMBUS_READ ? "reading" : "writing") +
                                    " register " + hex(reg) + ": " + ::strerror(-result)};
}

std::uint8_t Bus::read_byte(std::uint8_t reg) {
    i2c_smbus_data data{};
    smbus(I2C_SMBUS_READ, reg, I2C_SMBUS_BYTE_DATA, data);
    return data.byte;
}

std::uint16_t Bus::read_word_low_first(std::uint8_t reg) {
    i2c_smbus_data data{};
    smbus(I2C_SMBUS_READ, reg, I2C_SMBUS_WORD_DATA, data);
    return data.word;
}

std::uint16_t Bus::read_word(std::uint8_t reg) {
    const std::uint16_t word = read_word_low_first(reg);
    return static_cast<std::uint16_t>(word << 8 | word >> 8);
}

void Bus::read_block(std::uint8_t reg, std::span<std::uint8_t> into) {
    i2c_smbus_data data{};
    data.block[0] = static_cast<__u8>(into.size());
    smbus(I2C_SMBUS_READ, reg, I2C_SMBUS_I2C_BLOCK_DATA, data);
    if (data.block[0] != into.size())
        throw BusError{EPROTO, "register " + hex(reg) + " gave " + std::to_string(data.block[0]) +
                                   " bytes and not " + std::to_string(into.size())};
    std::copy_n(data.block + 1, into.size(), into.begin());
}

void Bus::write_byte(std::uint8_t reg, std::uint8_t value) {
    i2c_smbus_data data{};
    data.byte = value;
    smbus(I2C_SMBUS_WRITE, reg, I2C_SMBUS_BYTE_DATA, data);
}

void Bus::write_word(std::uint8_t reg, std::uint16_t value) {
    i2c_smbus_data data{};
    data.word = static_cast<std::uint16_t>(value << 8 | value >> 8);
    smbus(I2C_SMBUS_WRITE, reg, I2C_SMBUS_WORD_DATA, data);
}

void Bus::send(std::span<const std::uint8_t> bytes) {
    std::uint8_t copy[8];
    std::copy(bytes.begin(), bytes.end(), copy);
    transfer(0, copy, bytes.size());
}

void Bus::receive(std::span<std::uint8_t> into) {
    transfer(I2C_M_RD, into.data(), into.size());
}

void Bus::transfer(std::uint16_t flags, std::uint8_t* bytes, std::size_t count) {
    i2c_msg message{};
    message.addr = address_;
    message.flags = flags;
    message.len = static_cast<__u16>(count);
    message.buf = bytes;
    i2c_rdwr_ioctl_data call{&message, 1};
    const char* doing = flags == 0 ? "sending a command" : "fetching an answer";
    const int result = control_(fd_.get(), I2C_RDWR, &call);
    if (result < 0) throw BusError{-result, std::string(doing) + ": " + ::strerror(-result)};
    if (result != 1) throw BusError{EPROTO, std::string(doing) + ": the bus did not do it"};
}

}  // namespace i2c_input
