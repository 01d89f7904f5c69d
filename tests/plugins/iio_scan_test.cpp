// Descriptions of scans, good and hostile, and what is read by them.
#include "iio/scan.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>

#include "iio/quantity.hpp"
#include "iio/timestamps.hpp"

namespace holdfast::test {
namespace {

using iio_input::decode;
using iio_input::decode_integer;
using iio_input::Element;
using iio_input::lay_out;
using iio_input::parse_scan_type;
using iio_input::ScanLayout;

using Bytes = std::vector<std::uint8_t>;

Element element(const std::string& name, unsigned index, const std::string& type) {
    return {name, index, parse_scan_type(type), 0};
}

double one(const std::string& type, const Bytes& bytes, unsigned which = 0) {
    return decode(lay_out({element("x", 0, type)}).elements[0], which, bytes);
}

TEST(IioScanType, SaysWhereANumberLies) {
    const auto type = parse_scan_type("be:s12/16X3>>4");
    EXPECT_TRUE(type.is_big_endian);
    EXPECT_TRUE(type.is_signed);
    EXPECT_EQ(type.bits, 12U);
    EXPECT_EQ(type.storage_bits, 16U);
    EXPECT_EQ(type.repeat, 3U);
    EXPECT_EQ(type.shift, 4U);
    EXPECT_EQ(type.bytes(), 6U);
    // Kernels before 3.x leave out a shift of nothing.
    EXPECT_EQ(parse_scan_type("le:u8/8").shift, 0U);
}

TEST(IioScanType, IsRefusedWhenItIsNone) {
    for (const char* text : {"",
                             "le",
                             "le:",
                             "le:s",
                             "me:s12/16>>4",
                             "le:x12/16>>4",
                             "le:f32/32>>0",
                             "le:s/16>>4",
                             "le:s12",
                             "le:s12/",
                             "le:s12/16>",
                             "le:s12/16>>",
                             "le:s12/16>>-1",
                             "le:s12/16>>4 ",
                             "le:s12/16>>4x",
                             "le:s12/16X>>4",
                             "le:s12/16X0>>4",
                             "le:s12/16X65>>4",
                             "le:s12/16X4294967296>>0",
                             "le:s0/16>>0",
                             "le:s17/16>>0",
                             "le:s12/12>>0",
                             "le:s12/24>>0",
                             "le:s64/128>>0",
                             "le:s0/0>>0",
                             "le:s12/16>>16",
                             "le:s12/16>>4294967300",
                             "le:s99999999999999999999/16>>0",
                             "le:s+2/16>>0",
                             "LE:s12/16>>4",
                             "le:s12/16>>4\nle:s12/16>>4",
                             "le:s12/16>>0X2"})
        EXPECT_THROW(parse_scan_type(text), std::invalid_argument) << text;
}

TEST(IioScan, IsReadInEachFormOfNumber) {
    EXPECT_EQ(one("le:u8/8>>0", {0xFF}), 255);
    EXPECT_EQ(one("le:s8/8>>0", {0xFF}), -1);
    EXPECT_EQ(one("le:u12/16>>0", {0x5E, 0x02}), 606);
    EXPECT_EQ(one("be:u12/16>>0", {0x02, 0x5E}), 606);
    // The bits above are not the number's.
    EXPECT_EQ(one("le:u12/16>>0", {0x5E, 0xF2}), 606);
    EXPECT_EQ(one("le:s12/16>>4", {0x0F, 0x80}), -2048);
    EXPECT_EQ(one("be:s12/16>>4", {0x7F, 0xFF}), 2047);
    EXPECT_EQ(one("be:s16/16>>0", {0x80, 0x00}), -32768);
    EXPECT_EQ(one("le:s24/32>>8", {0x00, 0xFF, 0xFF, 0xFF}), -1);
    EXPECT_EQ(one("be:u32/32>>0", {0xFF, 0xFF, 0xFF, 0xFF}), 4294967295.0);
    EXPECT_EQ(one("le:u64/64>>0", Bytes(8, 0xFF)), 18446744073709551615.0);
    EXPECT_EQ(one("le:s64/64>>0", Bytes(8, 0xFF)), -1);
    EXPECT_EQ(one("le:u1/64>>63", Bytes(8, 0xFF)), 1);
    EXPECT_EQ(one("le:s1/8>>7", {0x80}), -1);
    const Bytes quaternion = {1, 0, 2, 0, 0xFD, 0xFF, 4, 0};
    EXPECT_EQ(one("le:s16/16X4>>0", quaternion, 2), -3);
    EXPECT_EQ(one("le:s16/16X4>>0", quaternion, 3), 4);
}

// A time beyond 2^53 keeps its last digits.
TEST(IioScan, HasWholeTimestamps) {
    const ScanLayout layout = lay_out({element("timestamp", 0, "le:s64/64>>0")});
    EXPECT_EQ(decode_integer(layout.elements[0], 0, Bytes{1, 0, 0, 0, 0, 0, 0x20, 0}),
              (std::int64_t{1} << 53) + 1);
}

TEST(IioScan, AlignsEachElementToItsSizeAndTheWholeToTheLargest) {
    // Given in the order of their names, as a directory is listed.
    const ScanLayout layout = lay_out({element("timestamp", 9, "le:s64/64>>0"), element("a", 4, "le:u8/8>>0"),
                                       element("b", 2, "le:s16/16>>0"), element("c", 3, "le:s32/32>>0")});
    ASSERT_EQ(layout.elements.size(), 4U);
    EXPECT_EQ(layout.elements[0].name, "b");
    EXPECT_EQ(layout.elements[0].offset, 0U);
    EXPECT_EQ(layout.elements[1].offset, 4U);
    EXPECT_EQ(layout.elements[2].offset, 8U);
    EXPECT_EQ(layout.elements[3].offset, 16U);
    EXPECT_EQ(layout.bytes, 24U);
    // One of four bytes and one of two: the scan ends with two of no meaning.
    EXPECT_EQ(lay_out({element("a", 0, "le:s32/32>>0"), element("b", 1, "le:s16/16>>0")}).bytes, 8U);
    // A quaternion is aligned to all of itself.
    EXPECT_EQ(
        lay_out({element("a", 0, "le:s16/16>>0"), element("q", 1, "le:s32/32X4>>0")}).elements[1].offset,
        16U);
}

TEST(IioScan, IsRefusedWhenItCannotBe) {
    EXPECT_THROW(lay_out({}), std::invalid_argument);
    EXPECT_THROW(lay_out({element("a", 1, "le:s8/8>>0"), element("b", 1, "le:s8/8>>0")}),
                 std::invalid_argument);
    std::vector<Element> many;
    for (unsigned i = 0; i < 129; ++i)
        many.push_back(element("x" + std::to_string(i), i, "le:s64/64X64>>0"));
    EXPECT_THROW(lay_out(many), std::invalid_argument);
    many.pop_back();
    EXPECT_EQ(lay_out(many).bytes, iio_input::most_scan_bytes);
}

// Descriptions put together at random, of pieces that are right and wrong: each is refused, or all of it can
// be read from a scan of its size (under the sanitizers: and from nowhere else).
TEST(IioScan, SurvivesAnyDescription) {
    std::mt19937 random(20261130);
    const auto pick = [&](const std::vector<std::string>& from) { return from[random() % from.size()]; };
    const std::vector<std::string> numbers = {"0",  "1",  "7",  "8",          "12", "15", "16",
                                              "24", "31", "32", "33",         "63", "64", "65",
                                              "-1", "",   "99", "4294967295", "4",  "3"};
    std::size_t read = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::vector<Element> elements;
        try {
            for (std::size_t i = random() % 6; i-- > 0;) {
                std::string type = pick({"le:", "be:", "le:", "x:"}) + pick({"s", "u", "s", ""}) +
                                   pick(numbers) + "/" + pick({"8", "16", "32", "64", pick(numbers)});
                if (random() % 3 == 0) type += "X" + pick(numbers);
                if (random() % 3 != 0) type += ">>" + pick(numbers);
                elements.push_back(element("e", static_cast<unsigned>(random() % 8), type));
            }
            const ScanLayout layout = lay_out(elements);
            Bytes scan(layout.bytes);
            for (std::uint8_t& byte : scan)
                byte = static_cast<std::uint8_t>(random());
            for (const Element& each : layout.elements)
                for (unsigned which = 0; which < each.type.repeat; ++which) {
                    const double value = decode(each, which, scan);
                    const double limit = std::ldexp(1.0, static_cast<int>(each.type.bits));
                    ASSERT_LE(value, limit);
                    ASSERT_GE(value, each.type.is_signed ? -limit / 2 : 0);
                    ++read;
                }
        } catch (const std::invalid_argument&) {
            // Refused.
        }
    }
    EXPECT_GT(read, 1000U);
}

TEST(IioQuantity, HasTheUnitsOfTheKernelsInterface) {
    const auto converted = [](const char* channel, double value) {
        const iio_input::Quantity quantity = iio_input::quantity_of(channel);
        return std::pair(value * quantity.multiply / quantity.divide, std::string(quantity.unit));
    };
    using Value = std::pair<double, std::string>;
    EXPECT_EQ(converted("voltage12", 1500), Value(1.5, "V"));
    EXPECT_EQ(converted("voltage0-voltage1", -500), Value(-0.5, "V"));
    EXPECT_EQ(converted("current0", 20), Value(0.02, "A"));
    EXPECT_EQ(converted("power0", 2500), Value(2.5, "W"));
    EXPECT_EQ(converted("temp_ambient", 21500), Value(21.5, "Cel"));
    EXPECT_EQ(converted("humidityrelative", 45300), Value(45.3, "%RH"));
    EXPECT_EQ(converted("pressure", 101.325), Value(101325, "Pa"));
    EXPECT_EQ(converted("illuminance", 300), Value(300, "lx"));
    EXPECT_EQ(converted("accel_x", 9.8), Value(9.8, "m/s2"));
    EXPECT_EQ(converted("anglvel_z", 0.5), Value(0.5, "rad/s"));
    EXPECT_EQ(converted("magn_y", 0.5), Value(0.00005, "T"));
    EXPECT_EQ(converted("resistance0", 110), Value(110, "Ohm"));
    EXPECT_EQ(converted("capacitance0", 2), Value(2e-9, "F"));
    EXPECT_EQ(converted("massconcentration_pm2p5", 12), Value(12, "ug/m3"));
    EXPECT_EQ(converted("rot_from_north_true", 90), Value(90, "deg"));
    EXPECT_EQ(converted("rot_quaternion", 1), Value(1, ""));
    EXPECT_EQ(converted("proximity", 17), Value(17, ""));
    EXPECT_EQ(converted("voltages", 17), Value(17, ""));
    EXPECT_EQ(converted("", 17), Value(17, ""));
}

TEST(IioLostScans, AreCountedBetweenTimestamps) {
    constexpr std::int64_t ms = 1'000'000;
    iio_input::LostScans lost(100);
    EXPECT_EQ(lost.before(1000 * ms), 0);
    EXPECT_EQ(lost.before(1010 * ms), 0);
    // Late, but one.
    EXPECT_EQ(lost.before(1027 * ms), 0);
    EXPECT_EQ(lost.before(1030 * ms), 0);
    EXPECT_EQ(lost.before(1050 * ms), 1);
    EXPECT_EQ(lost.before(1150 * ms), 9);
    // A clock that was set back, or far forward.
    EXPECT_EQ(lost.before(10 * ms), 0);
    EXPECT_EQ(lost.before(std::numeric_limits<std::int64_t>::max()), 0);
    EXPECT_EQ(lost.before(std::numeric_limits<std::int64_t>::min()), 0);
    iio_input::LostScans without(0);
    EXPECT_EQ(without.before(0), 0);
    EXPECT_EQ(without.before(1000 * ms), 0);
}

}  // namespace
}  // namespace holdfast::test
