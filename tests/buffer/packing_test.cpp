#include "buffer/packing.hpp"

#include <gtest/gtest.h>

#include <random>

#include "model/reading_stream.hpp"
#include "support/make_batch.hpp"

namespace holdfast::test {
namespace {

std::string noise(std::size_t bytes) {
    std::mt19937 random(1);
    std::string text;
    while (text.size() < bytes)
        text += static_cast<char>(random());
    return text;
}

// A hundred readings as a sensor gives them every 10 ms.
std::string body_of_readings() {
    BatchMaker maker("in");
    const std::uint32_t value = maker.channel("value", ValueType::f64);
    const std::uint32_t number = maker.channel("n", ValueType::i64);
    for (int i = 0; i < 100; ++i)
        maker.add(3'600'000'000 + i * 10'007,
                  {Value::of(value, 20.0 + 0.01 * (i * 7919 % 100)), Value::of(number, std::int64_t{i})});
    return maker.batch(1).body;
}

TEST(Packing, GivesBackWhatWasPacked) {
    Packing packing;
    for (const std::string& body : {std::string(), std::string(1, '\1'), "\1" + noise(63),
                                    "\1" + noise(5'000), std::string(100'000, '\1'), body_of_readings()}) {
        const std::string stored(packing.pack(body));
        EXPECT_LE(stored.size(), body.size());
        const auto unpacked = packing.unpack(stored);
        ASSERT_TRUE(unpacked);
        EXPECT_TRUE(*unpacked == body);
    }
}

TEST(Packing, SavesAThirdOfReadingsAtLeast) {
    Packing packing;
    const std::string body = body_of_readings();
    EXPECT_LT(packing.pack(body).size() * 3, body.size() * 2);
}

TEST(Packing, LeavesAsItIsWhatDoesNotBecomeSmaller) {
    Packing packing;
    const std::string body = "\1" + noise(1'000);
    EXPECT_EQ(packing.pack(body).data(), body.data());
}

TEST(Packing, RefusesDamagedBytes) {
    Packing packing;
    const std::string stored(packing.pack(body_of_readings()));
    for (std::size_t length = 1; length < stored.size(); ++length)
        EXPECT_FALSE(packing.unpack(std::string_view(stored).substr(0, length))) << length;
    // A flipped bit may give another body, which the checksum of the row then tells; never more than it
    // claims.
    for (std::size_t bit = 8; bit < stored.size() * 8; ++bit) {
        std::string damaged = stored;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
        const auto unpacked = packing.unpack(damaged);
        if (!unpacked) {
            EXPECT_EQ(unpacked.error().kind, Error::Kind::corrupt);
        }
    }
}

TEST(Packing, DoesNotBelieveASizeThatNoBatchHas) {
    Packing packing;
    // A Zstandard frame that claims 2^62 bytes.
    const std::string claim("\x02\x28\xB5\x2F\xFD\xE0\0\0\0\0\0\0\0\x40", 14);
    EXPECT_FALSE(packing.unpack(claim));
}

}  // namespace
}  // namespace holdfast::test
