// The iio input on the kernel files of three boards (fixtures/README.md says where those come from): polled.
#include <cmath>

#include "polled_input.hpp"

namespace holdfast::test {
namespace {

TestHost::Options select(const std::vector<std::string>& devices,
                         const std::vector<std::string>& channels = {"*"}) {
    return {{"devices", TestHost::list(devices)}, {"channels", TestHost::list(channels)}};
}

class Input : public PolledInput {
  public:
    explicit Input(const BoardFiles& board, TestHost::Options options = {})
        : PolledInput("iio", board, std::move(options)) {}
};

const std::string device0 = "sys/bus/iio/devices/iio:device0/";
const std::string device1 = "sys/bus/iio/devices/iio:device1/";

TEST(Iio, ReadsARaspberryPiWithThreeChips) {
    const BoardFiles board("raspberry-pi-iio");
    Input input(board);
    expect_equal(input.sample(), {{"bme280.temp", 24.15},
                                  {"bme280.pressure", 100316.40625},
                                  {"bme280.humidityrelative", 45.32},
                                  {"ads1115_1-0048.voltage0", 1.066375},
                                  {"ads1115_1-0048.voltage1", -0.0015},
                                  {"ads1115_1-0048.voltage0-voltage1", 1.067875},
                                  {"ads1115_1-0049.voltage0", 2}});
    const auto seen = units(input.host());
    EXPECT_EQ(seen.at("bme280.temp"), "Cel");
    EXPECT_EQ(seen.at("bme280.pressure"), "Pa");
    EXPECT_EQ(seen.at("bme280.humidityrelative"), "%RH");
    EXPECT_EQ(seen.at("ads1115_1-0048.voltage0-voltage1"), "V");
}

TEST(Iio, ReadsABeagleBoneWhoseConverterHasNoScale) {
    const BoardFiles board("beaglebone-adc");
    Input input(board);
    expect_equal(input.sample(), {{"ti-am335x-adc.voltage0", 1204},
                                  {"ti-am335x-adc.voltage1", 2728},
                                  {"ti-am335x-adc.voltage2", 3722},
                                  {"ti-am335x-adc.voltage3", 1923},
                                  {"ti-am335x-adc.voltage4", 2090},
                                  {"ti-am335x-adc.voltage5", 2994},
                                  {"ti-am335x-adc.voltage6", 2785}});
    EXPECT_EQ(units(input.host()).at("ti-am335x-adc.voltage0"), "");
}

TEST(Iio, ReadsAnEdisonWhoseChannelsShareTheirScale) {
    const BoardFiles board("edison-adc");
    Input input(board, select({"ads7951"}, {"voltage0", "voltage1"}));
    expect_equal(input.sample(), {{"ads7951.voltage0", 606 * 2.442002442 / 1000},
                                  {"ads7951.voltage1", 1967 * 2.442002442 / 1000}});
}

TEST(Iio, FindsScaleAndOffsetWhereTheyAre) {
    struct Case {
        const char* channel;
        std::map<std::string, std::string> files;
        double value;  // of a raw 100
    };
    const Case cases[] = {
        {"temp", {{"in_temp_scale", "20"}, {"in_temp_offset", "-5"}}, 1.9},
        {"temp", {{"in_temp_offset", "50.5"}}, 150.5},
        {"voltage3", {{"in_voltage3_scale", "10"}, {"in_voltage_scale", "1"}}, 1},
        {"voltage3", {{"in_voltage_scale", "10"}, {"in_voltage_offset", "100"}}, 2},
        {"voltage0_i", {{"in_voltage_i_scale", "10"}}, 1},
        {"voltage0-voltage1", {{"in_voltage-voltage_scale", "10"}, {"in_voltage_scale", "1"}}, 1},
        {"voltage0-voltage1", {{"in_voltage_scale", "10"}}, 1},
        {"voltage2_supply", {{"in_voltage2_supply_scale", "10"}}, 1},
        {"accel_x", {{"in_accel_scale", "0.098"}}, 9.8},
        {"accel_x", {{"in_accel_x_scale", "0.01"}, {"in_accel_scale", "7"}}, 1},
        {"accel_x_peak", {{"in_accel_peak_scale", "0.01"}, {"in_accel_scale", "7"}}, 1},
        {"voltage1_mean", {{"in_voltage1_scale", "10"}}, 1},
        {"temp_trough", {{"in_temp_scale", "10"}}, 1},
        {"massconcentration_pm2p5", {{"in_massconcentration_pm2p5_scale", "0.5"}}, 50},
        {"magn_y", {{"in_scale", "50"}}, 0.5},
        {"illuminance", {{"scale", "3"}}, 300},
        {"humidityrelative", {{"in_humidityrelative_scale", "1e3"}}, 100},
    };
    for (const Case& each : cases) {
        const BoardFiles board;
        board.write(device0 + "name", "chip\n");
        board.write(device0 + "in_" + each.channel + "_raw", "100\n");
        for (const auto& [file, content] : each.files)
            board.write(device0 + file, content + "\n");
        Input input(board);
        const Numbers seen = input.sample();
        ASSERT_EQ(seen.size(), 1U) << each.channel;
        EXPECT_DOUBLE_EQ(seen.begin()->second, each.value)
            << each.channel << " by " << each.files.begin()->first;
    }
}

TEST(Iio, ReadsWhatHasSeveralNumbers) {
    const BoardFiles board;
    board.write(device0 + "name", "bno055\n");
    board.write(device0 + "in_rot_quaternion_raw", "16384 0 -8192 4096\n");
    board.write(device0 + "in_rot_scale", "0.5\n");
    expect_equal(Input(board).sample(), {{"bno055.rot_quaternion.0", 8192},
                                         {"bno055.rot_quaternion.1", 0},
                                         {"bno055.rot_quaternion.2", -4096},
                                         {"bno055.rot_quaternion.3", 2048}});
}

TEST(Iio, PrefersProcessedValuesToRawOnes) {
    const BoardFiles board("raspberry-pi-iio");
    board.write(device0 + "in_temp_raw", "1\n");
    expect_equal(Input(board, select({"bme280"}, {"temp"})).sample(), {{"bme280.temp", 24.15}});
}

TEST(Iio, LeavesOutWhatIsNoMeasurement) {
    const BoardFiles board("raspberry-pi-iio");
    board.write(device0 + "in_anglvel_quadrature_correction_raw", "7\n");
    board.write(device0 + "out_voltage0_raw", "7\n");
    board.write(device0 + "in_raw", "7\n");
    board.write(device0 + "in__raw", "7\n");
    EXPECT_EQ(Input(board, select({"bme280"})).sample().size(), 3U);
}

TEST(Iio, CallsChannelsByTheirLabels) {
    const BoardFiles board("raspberry-pi-iio");
    board.write(device1 + "in_voltage0_label", "Tank level\n");
    board.write(device1 + "in_voltage1_label", "spare\n");
    board.write(device1 + "in_voltage0-voltage1_label", "Spare\n");
    Input input(board, select({"ads1115_1-0048"}, {"tank*", "spare"}));
    expect_equal(input.sample(), {{"ads1115_1-0048.tank_level", 1.066375},
                                  {"ads1115_1-0048.spare_voltage1", -0.0015},
                                  {"ads1115_1-0048.spare_voltage0-voltage1", 1.067875}});
}

TEST(Iio, SelectsDevicesByNameAndLabel) {
    const BoardFiles board("raspberry-pi-iio");
    board.write("sys/bus/iio/devices/iio:device2/label", "battery\n");
    expect_equal(Input(board, select({"BATTERY"})).sample(), {{"ads1115_battery.voltage0", 2}});
    EXPECT_EQ(Input(board, select({"ads1115"})).sample().size(), 4U);
    EXPECT_EQ(Input(board, select({"!ads*"})).sample().size(), 3U);
    TestHost::Options options = select({"bme280"}, {"temp"});
    options["bus_ids"] = std::int64_t{1};
    expect_equal(Input(board, options).sample(), {{"bme280_1-0076.temp", 24.15}});
}

TEST(Iio, SkipsAndCountsChannelsThatFail) {
    const BoardFiles board("raspberry-pi-iio");
    board.break_file(device0 + "in_temp_input");
    board.write(device0 + "in_pressure_input", "none\n");
    board.write(device1 + "in_voltage0_scale", "inf\n");
    board.break_file(device1 + "in_voltage1_scale");
    Input input(board);
    expect_equal(input.sample(), {{"bme280.humidityrelative", 45.32},
                                  {"ads1115_1-0048.voltage0-voltage1", 1.067875},
                                  {"ads1115_1-0049.voltage0", 2}});
    EXPECT_EQ(input.host().errors.size(), 4U);
    EXPECT_TRUE(input.host().has_error("iio:device0/in_temp_input: Input/output error"));
    EXPECT_TRUE(input.host().has_error("iio:device0/in_pressure_input: holds no number"));
    EXPECT_TRUE(input.host().has_error("iio:device1/in_voltage0_scale: holds no number"));
}

TEST(Iio, FailsWhenNoChannelAnswers) {
    const BoardFiles board("raspberry-pi-iio");
    board.break_file(device0 + "in_temp_input");
    Input input(board, select({"bme280"}, {"temp"}));
    EXPECT_EQ(input.host().sample(), -EIO);
    EXPECT_EQ(input.host().errors.size(), 1U);
}

TEST(Iio, FollowsDevicesThatComeAndGo) {
    const BoardFiles board("raspberry-pi-iio");
    Input input(board, select({"*"}, {"voltage0", "temp"}));
    EXPECT_EQ(input.sample().size(), 3U);
    board.remove("sys/bus/iio/devices/iio:device2");
    // Alone of its name, a device needs no bus id.
    expect_equal(input.sample(), {{"bme280.temp", 24.15}, {"ads1115.voltage0", 1.066375}});
    board.remove("sys/bus/iio");
    EXPECT_EQ(input.host().sample(), -ENODEV);
    EXPECT_TRUE(input.host().has_error(board.path().string() + "/sys/bus/iio/devices"));
    board.overlay("raspberry-pi-iio");
    EXPECT_EQ(input.sample().size(), 3U);
}

TEST(Iio, NamesWhatThereIsWhenNothingIsSelected) {
    const BoardFiles board("beaglebone-adc");
    Input input(board, select({"bme280"}));
    EXPECT_EQ(input.host().sample(), -ENODEV);
    EXPECT_TRUE(input.host().has_error("select no input of iio:device0 TI-am335x-adc"));
}

TEST(Iio, RefusesWrongOptions) {
    const std::pair<const char*, TestHost::OptionValue> wrong[] = {
        {"devices", TestHost::list({})},     {"channels", TestHost::list({""})},
        {"sampling_frequency", -1.0},        {"sampling_frequency", 2e9},
        {"buffer_length", std::int64_t{0}},  {"buffer_length", std::int64_t{1'000'001}},
        {"watermark", std::int64_t{0}},      {"watermark", std::int64_t{257}},
        {"sampling_frequency", std::nan("")}};
    for (const auto& [key, value] : wrong) {
        TestHost host(shipped_plugin("iio"), {{key, value}});
        EXPECT_EQ(host.open(), -EINVAL) << key;
        EXPECT_TRUE(host.has_error(std::string(key) + ": ")) << key;
    }
}

TEST(Iio, SurvivesHostileFiles) {
    const std::vector<std::string> contents = {"",
                                               "\n",
                                               "\xff\xfe\n",
                                               "nan\n",
                                               "1e400\n",
                                               "0x10\n",
                                               "1 x\n",
                                               std::string(100'000, '9'),
                                               std::string(2000, ' ') + "1\n"};
    for (const std::string& content : contents) {
        const BoardFiles board;
        for (const char* file :
             {"name", "label", "in_temp_raw", "in_temp_scale", "in_temp_offset", "in_temp_label",
              "in_voltage0-voltage1-voltage2_raw", "in_-_raw", "in_0_input", "in_voltage99999_raw",
              "in_sqrt(x^2+y^2)_input", "in_voltage_mean_raw", "in__mean_raw"})
            board.write(device0 + file, content);
        board.write(device1 + "name", "well\n");
        board.write(device1 + "in_temp_input", "1000\n");
        Input input(board);
        EXPECT_EQ(input.sample().at("well.temp"), 1);
        EXPECT_EQ(input.sample().at("well.temp"), 1);
    }
}

}  // namespace
}  // namespace holdfast::test
