// How fast batches become messages: decoding and encoding of one-value readings, on one core.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "forward/payload.hpp"
#include "support/make_batch.hpp"

namespace {

using namespace holdfast;

Batch batch_of(std::uint32_t readings) {
    test::BatchMaker maker("host", {{"site", "plant-3"}});
    maker.wall_offset_us(1'795'371'137'123'000);
    const std::uint32_t channel = maker.channel("value", ValueType::f64);
    for (std::uint32_t i = 0; i < readings; ++i)
        maker.add(std::int64_t{i} * 10'000, {Value::of(channel, 20 + 0.001 * i)});
    return maker.batch(812);
}

void measure(std::uint32_t readings_a_batch) {
    constexpr std::uint32_t readings = 3'000'000;
    const Batch batch = batch_of(readings_a_batch);
    PayloadEncoder encoder({"gw-17", 0x5f0c1d2e9a7b4c31, TimestampUnit::milliseconds});
    std::size_t bytes = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint32_t done = 0; done < readings; done += readings_a_batch) {
        const auto body = decode_body(batch.header.kind, batch.body);
        const auto payload = encoder.encode(batch.header, *body);
        if (!payload) std::exit(1);
        bytes += payload->json.size();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("%4u readings a message: %10.0f readings/s, %8.0f messages/s, %6.1f MB/s\n", readings_a_batch,
                readings / took.count(), readings / took.count() / readings_a_batch,
                static_cast<double>(bytes) / 1e6 / took.count());
}

}  // namespace

int main() {
    for (const std::uint32_t readings_a_batch : {1U, 10U, 100U, 1'000U})
        measure(readings_a_batch);
    return 0;
}
