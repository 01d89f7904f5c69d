#include "bme280_formula.hpp"

#include <algorithm>
#include <cmath>

namespace i2c_input {

namespace {

// Two registers, the low byte first.
std::uint16_t word(std::span<const std::uint8_t> registers, std::size_t at) {
    return static_cast<std::uint16_t>(registers[at] | registers[at + 1] << 8);
}

std::int16_t signed_word(std::span<const std::uint8_t> registers, std::size_t at) {
    return static_cast<std::int16_t>(word(registers, at));
}

// Twelve bits: eight in one register, four in another.
std::int16_t twelve_bits(std::uint8_t high, unsigned low) {
    return static_cast<std::int16_t>(static_cast<std::int8_t>(high) * 16 + static_cast<int>(low & 15));
}

}  // namespace

void read_temperature_and_pressure(std::span<const std::uint8_t, 24> registers, Calibration& calibration) {
    calibration.t1 = word(registers, 0);
    calibration.t2 = signed_word(registers, 2);
    calibration.t3 = signed_word(registers, 4);
    calibration.p1 = word(registers, 6);
    std::int16_t* const following[] = {&calibration.p2, &calibration.p3, &calibration.p4, &calibration.p5,
                                       &calibration.p6, &calibration.p7, &calibration.p8, &calibration.p9};
    for (std::size_t i = 0; i < std::size(following); ++i)
        *following[i] = signed_word(registers, 8 + 2 * i);
}

void read_humidity(std::uint8_t h1, std::span<const std::uint8_t, 7> registers, Calibration& calibration) {
    calibration.h1 = h1;
    calibration.h2 = signed_word(registers, 0);
    calibration.h3 = registers[2];
    calibration.h4 = twelve_bits(registers[3], registers[4]);
    calibration.h5 = twelve_bits(registers[5], registers[4] >> 4);
    calibration.h6 = static_cast<std::int8_t>(registers[6]);
}

double fine_temperature(const Calibration& c, std::int32_t raw) {
    const double linear = (raw / 16384.0 - c.t1 / 1024.0) * c.t2;
    const double difference = raw / 131072.0 - c.t1 / 8192.0;
    return linear + difference * difference * c.t3;
}

double pascals(const Calibration& c, double fine, std::int32_t raw) {
    const double t = fine / 2 - 64000;
    const double offset = (t * t * c.p6 / 32768 + t * c.p5 * 2) / 4 + c.p4 * 65536.0;
    const double slope = (1 + (c.p3 * t * t / 524288 + c.p2 * t) / 524288 / 32768) * c.p1;
    if (slope == 0) return std::nan("");
    const double p = (1048576 - raw - offset / 4096) * 6250 / slope;
    return p + (c.p9 * p * p / 2147483648.0 + p * c.p8 / 32768 + c.p7) / 16;
}

double humidity_percent(const Calibration& c, double fine, std::int32_t raw) {
    const double t = fine - 76800;
    const double above_offset = raw - (c.h4 * 64.0 + c.h5 / 16384.0 * t);
    const double slope = c.h2 / 65536.0 * (1 + c.h6 / 67108864.0 * t * (1 + c.h3 / 67108864.0 * t));
    const double linear = above_offset * slope;
    return std::clamp(linear * (1 - c.h1 * linear / 524288), 0.0, 100.0);
}

}  // namespace i2c_input
