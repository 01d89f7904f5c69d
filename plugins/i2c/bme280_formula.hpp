// From what a BME280 or BMP280 measures to degrees, pascals and per cent, with the constants in the chip.
//
// Sources: BMP280 data sheet, revision 1.23, 3.11.2 and 8.1; BME280 data sheet, revision 1.6, 4.2.2 and 8.1
// (the formulas in floating point).
#pragma once

#include <cstdint>
#include <span>

namespace i2c_input {

struct Calibration {
    std::uint16_t t1 = 0;
    std::int16_t t2 = 0, t3 = 0;
    std::uint16_t p1 = 0;
    std::int16_t p2 = 0, p3 = 0, p4 = 0, p5 = 0, p6 = 0, p7 = 0, p8 = 0, p9 = 0;
    std::uint8_t h1 = 0;
    std::int16_t h2 = 0;
    std::uint8_t h3 = 0;
    std::int16_t h4 = 0, h5 = 0;
    std::int8_t h6 = 0;
};

// Registers 0x88 to 0x9F.
void read_temperature_and_pressure(std::span<const std::uint8_t, 24> registers, Calibration& calibration);
// Register 0xA1, and 0xE1 to 0xE7.
void read_humidity(std::uint8_t h1, std::span<const std::uint8_t, 7> registers, Calibration& calibration);

// The temperature in the chip's own fine unit, which the other formulas want; 5120 of it are a degree. Its
// fraction is kept, as in the worked example of the BMP280 data sheet (3.12).
double fine_temperature(const Calibration& calibration, std::int32_t raw);
inline double celsius(double fine) {
    return fine / 5120;
}
double pascals(const Calibration& calibration, double fine, std::int32_t raw);
double humidity_percent(const Calibration& calibration, double fine, std::int32_t raw);

}  // namespace i2c_input
