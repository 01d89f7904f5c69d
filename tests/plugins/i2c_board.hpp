// A board's I2C bus below a directory, and the i2c input on it with a scripted chip.
#pragma once

#include <filesystem>
#include <fstream>

#include "fake_i2c.hpp"
#include "i2c/i2c.hpp"
#include "plugin_files.hpp"
#include "support/temp_dir.hpp"

namespace holdfast::test {

inline const std::string pi = "raspberry-pi-4";

inline FakeI2c* fake_i2c = nullptr;  // of the input that is opened next

struct I2cOnFake : i2c_input::I2c {
    explicit I2cOnFake(plugin::Host host) : I2c(host, fake_i2c->control(), fake_i2c->pause()) {}
};

inline const holdfast_plugin& i2c_on_fake() {
    static const holdfast_plugin& shipped = shipped_plugin("i2c");
    static const holdfast_plugin made =
        plugin::describe<I2cOnFake>("i2c", "1", "", {shipped.options, shipped.option_count});
    return made;
}

// The bus that the board has: what it can do stands in the file that is its device.
class I2cBoard {
  public:
    I2cBoard(const std::string& board, TestHost::Options options) : host(i2c_on_fake(), std::move(options)) {
        const auto from = std::filesystem::path(HOLDFAST_FIXTURES) / board;
        for (const char* part : {"dev", "sys/bus/i2c"}) {
            std::filesystem::create_directories(root / part);
            std::filesystem::copy(from / part, root / part, std::filesystem::copy_options::recursive);
        }
        for (const auto& node : std::filesystem::directory_iterator(root / "dev"))
            if (node.path().filename().string().starts_with("i2c-"))
                std::ifstream(node.path()) >> std::hex >> fake.functions;
        host.sensor_root = root.path();
    }
    ~I2cBoard() { host.close(); }

    int open(std::initializer_list<Transaction> transactions = {}) {
        fake.expect(transactions);
        fake_i2c = &fake;
        return host.open();
    }
    // A sample that is well; fails the test when it is not, or when not all was asked for.
    TestHost::Emitted sample(std::initializer_list<Transaction> transactions) {
        fake.expect(transactions);
        EXPECT_EQ(host.sample(), 0) << (host.errors.empty() ? "" : host.errors.back());
        EXPECT_TRUE(fake.script.empty());
        return host.readings.empty() ? TestHost::Emitted() : host.readings.back();
    }
    // A sample that fails.
    int failing_sample(std::initializer_list<Transaction> transactions) {
        fake.expect(transactions);
        const int code = host.sample();
        EXPECT_TRUE(fake.script.empty());
        return code;
    }

    TempDir root;
    FakeI2c fake;
    TestHost host;
};

using Units = std::map<std::string, std::string>;

// Of the channels that the input has declared.
inline Units units(const TestHost& host) {
    Units units;
    for (const auto& channel : host.channels)
        units[channel.name] = channel.unit;
    return units;
}

}  // namespace holdfast::test
