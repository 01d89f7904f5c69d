// The hwmon input on the kernel files of four boards (fixtures/README.md says where those come from), and on
// such as change or fail under it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "polled_input.hpp"

namespace holdfast::test {
namespace {

TestHost::Options select(const std::vector<std::string>& chips,
                         const std::vector<std::string>& sensors = {"*"}) {
    return {{"chips", TestHost::list(chips)}, {"sensors", TestHost::list(sensors)}};
}

class Input : public PolledInput {
  public:
    explicit Input(const BoardFiles& board, TestHost::Options options = {})
        : PolledInput("hwmon", board, std::move(options)) {}
};

const std::string nct = "sys/class/hwmon/hwmon2/";

TEST(Hwmon, ReadsARaspberryPi4) {
    const BoardFiles board("raspberry-pi-4");
    Input input(board);
    // hwmon0 only shows the thermal zone again.
    expect_equal(input.sample(), {{"thermal.cpu-thermal", 48.199}, {"rpi_volt.in0.lcrit_alarm", 0}});
}

TEST(Hwmon, ReadsTheFourPowerMetersOfAnOdroidXu3) {
    const BoardFiles board("odroid-xu3");
    Input input(board, select({"*", "!thermal"}));
    expect_equal(input.sample(), {{"ina231_0-0040.in0", 0.003},
                                  {"ina231_0-0040.in1", 0.912},
                                  {"ina231_0-0040.curr1", 0.384},
                                  {"ina231_0-0040.power1", 0.35},
                                  {"ina231_0-0041.in0", 0.002},
                                  {"ina231_0-0041.in1", 1.256},
                                  {"ina231_0-0041.curr1", 0.057},
                                  {"ina231_0-0041.power1", 0.071},
                                  {"ina231_0-0044.in0", 0},
                                  {"ina231_0-0044.in1", 0.9},
                                  {"ina231_0-0044.curr1", 0.028},
                                  {"ina231_0-0044.power1", 0.025},
                                  {"ina231_0-0045.in0", 0.001},
                                  {"ina231_0-0045.in1", 0.908},
                                  {"ina231_0-0045.curr1", 0.041},
                                  {"ina231_0-0045.power1", 0.037}});
}

TEST(Hwmon, ReadsTheZonesOfAnOdroidXu3) {
    const BoardFiles board("odroid-xu3");
    Input input(board, select({"thermal"}));
    expect_equal(input.sample(), {{"thermal.cpu0-thermal", 56},
                                  {"thermal.cpu1-thermal", 58},
                                  {"thermal.cpu2-thermal", 60},
                                  {"thermal.cpu3-thermal", 57},
                                  {"thermal.gpu-thermal", 54}});
}

TEST(Hwmon, ReadsAnX86Desktop) {
    const BoardFiles board("x86-desktop");
    Input input(board);
    const Numbers seen = input.sample();
    EXPECT_EQ(seen.at("nct6795.in0"), 1.24);
    EXPECT_EQ(seen.at("nct6795.in0.alarm"), 0);
    EXPECT_EQ(seen.at("nct6795.in3.alarm"), 1);
    EXPECT_EQ(seen.at("nct6795.fan4"), 976);
    EXPECT_EQ(seen.at("nct6795.systin"), 31);
    EXPECT_EQ(seen.at("nct6795.smbusmaster_0"), 47);
    EXPECT_EQ(seen.at("nct6795.intrusion0.alarm"), 1);
    EXPECT_EQ(seen.at("nvme_0000_01_00_0.composite"), 41.85);
    EXPECT_EQ(seen.at("nvme_0000_01_00_0.sensor_1"), 44.85);
    EXPECT_EQ(seen.at("nvme_0000_04_00_0.composite.alarm"), 0);
    EXPECT_EQ(seen.at("k10temp.tctl"), 47.25);
    // 6 voltages and 5 fans with alarms; 4 temperatures, two of them with one; the case; no limits, no beeps,
    // no pwm, no cpu0_vid; two disks with three values; two of the processor.
    EXPECT_EQ(seen.size(), 12U + 10U + 6U + 1U + 6U + 2U);
}

TEST(Hwmon, ReadsAnX86Box) {
    const BoardFiles board("x86-box");
    Input input(board, select({"coretemp", "thermal"}, {"core*", "acpitz"}));
    // Nothing tells the two zones of one type apart.
    expect_equal(input.sample(), {{"coretemp.core_0", 49},
                                  {"coretemp.core_1", 50.5},
                                  {"coretemp.package_id_0", 51},
                                  {"thermal.acpitz", 27.8},
                                  {"thermal.acpitz_2", 29.8}});
}

TEST(Hwmon, HasUnitsForEachKindOfSensor) {
    const BoardFiles board;
    board.write("sys/class/hwmon/hwmon0/name", "all\n");
    for (const char* kind : {"in1", "curr1", "power1", "energy1", "temp1", "fan1", "humidity1"})
        board.write(std::string("sys/class/hwmon/hwmon0/") + kind + "_input", "2500000\n");
    board.write("sys/class/hwmon/hwmon0/power2_average", "1500000\n");
    board.write("sys/class/hwmon/hwmon0/power1_average", "3500000\n");
    board.write("sys/class/hwmon/hwmon0/temp1_crit_alarm", "1\n");
    Input input(board);
    expect_equal(input.sample(), {{"all.in1", 2500},
                                  {"all.curr1", 2500},
                                  {"all.power1", 2.5},
                                  {"all.power1.average", 3.5},
                                  {"all.power2", 1.5},
                                  {"all.energy1", 2.5},
                                  {"all.temp1", 2500},
                                  {"all.temp1.crit_alarm", 1},
                                  {"all.fan1", 2500000},
                                  {"all.humidity1", 2500}});
    const auto seen = units(input.host());
    EXPECT_EQ(seen.at("all.in1"), "V");
    EXPECT_EQ(seen.at("all.curr1"), "A");
    EXPECT_EQ(seen.at("all.power2"), "W");
    EXPECT_EQ(seen.at("all.energy1"), "J");
    EXPECT_EQ(seen.at("all.temp1"), "Cel");
    EXPECT_EQ(seen.at("all.fan1"), "rpm");
    EXPECT_EQ(seen.at("all.humidity1"), "%RH");
    EXPECT_TRUE(std::holds_alternative<bool>(input.host().readings.back().values.at("all.temp1.crit_alarm")));
}

TEST(Hwmon, KeepsNamesWhenTheKernelNumbersChipsOtherwise) {
    const BoardFiles board("x86-desktop");
    Input before(board);
    const Numbers seen = before.sample();
    const auto classes = board / "sys/class/hwmon";
    for (const auto& [from, to] : {std::pair("hwmon0", "x"),
                                   {"hwmon3", "hwmon0"},
                                   {"x", "hwmon3"},
                                   {"hwmon2", "x"},
                                   {"hwmon1", "hwmon2"},
                                   {"x", "hwmon1"}})
        std::filesystem::rename(classes / from, classes / to);
    Input after(board);
    expect_equal(after.sample(), seen);
}

TEST(Hwmon, SelectsByChipLabelNameAndChannel) {
    const BoardFiles board("x86-desktop");
    EXPECT_EQ(Input(board, select({"NVME*"}, {"composite"})).sample().size(), 4U);
    expect_equal(Input(board, select({"nvme_0000_04_00_0"}, {"Sensor ?"})).sample(),
                 {{"nvme_0000_04_00_0.sensor_1", 38.85}});
    expect_equal(Input(board, select({"*"}, {"k10temp.tccd1"})).sample(), {{"k10temp.tccd1", 45.5}});
    expect_equal(Input(board, select({"!nvme", "!nct*"}, {"temp*", "!Tccd?"})).sample(),
                 {{"k10temp.tctl", 47.25}});
}

TEST(Hwmon, LeavesOutAlarmsOnDemand) {
    const BoardFiles board("x86-desktop");
    TestHost::Options options = select({"nct6795"}, {"fan?", "intrusion0"});
    options["alarms"] = std::int64_t{0};
    expect_equal(Input(board, options).sample(), {{"nct6795.fan1", 0},
                                                  {"nct6795.fan2", 857},
                                                  {"nct6795.fan3", 878},
                                                  {"nct6795.fan4", 976},
                                                  {"nct6795.fan5", 736}});
}

TEST(Hwmon, PutsTheBusIdIntoEachChannelOnDemand) {
    const BoardFiles board("x86-desktop");
    TestHost::Options options = select({"k10temp"}, {"temp1"});
    options["bus_ids"] = std::int64_t{1};
    expect_equal(Input(board, options).sample(), {{"k10temp_0000_00_18_3.tctl", 47.25}});
}

TEST(Hwmon, TellsSensorsOfOneLabelApartByTheirNames) {
    const BoardFiles board("x86-desktop");
    board.write(nct + "in0_label", "CPU\n");
    board.write(nct + "temp2_label", "cpu\n");
    Input input(board, select({"nct6795"}, {"cpu*"}));
    expect_equal(input.sample(), {{"nct6795.cpu_in0", 1.24},
                                  {"nct6795.cpu_in0.alarm", 0},
                                  {"nct6795.cpu_temp2", 40.5},
                                  {"nct6795.cpu_temp2.alarm", 0}});
}

TEST(Hwmon, TakesTheChipThatShowsAZoneWhenZonesAreLeftOut) {
    const BoardFiles board("raspberry-pi-4");
    Input input(board, select({"!thermal", "!rpi_volt"}));
    expect_equal(input.sample(), {{"cpu_thermal.temp1", 48.199}});
}

TEST(Hwmon, DoesNotSendWhatASensorWithAFaultMeasures) {
    const BoardFiles board;
    const std::string lm90 = "sys/class/hwmon/hwmon0/";
    board.write(lm90 + "name", "lm90\n");
    board.write(lm90 + "temp2_input", "127875\n");
    board.write(lm90 + "temp2_fault", "1\n");
    Input input(board);
    expect_equal(input.sample(), {{"lm90.temp2.fault", 1}});
    board.write(lm90 + "temp2_fault", "0\n");
    expect_equal(input.sample(), {{"lm90.temp2.fault", 0}, {"lm90.temp2", 127.875}});
    EXPECT_TRUE(input.host().errors.empty());
}

TEST(Hwmon, SkipsAndCountsSensorsThatFail) {
    const BoardFiles board("x86-desktop");
    board.break_file(nct + "temp1_input");
    board.break_file(nct + "fan2_alarm");
    board.write(nct + "in0_input", "no number\n");
    board.remove(nct + "temp8_input");
    ASSERT_EQ(::mkfifo((board / (nct + "temp8_input")).c_str(), 0600), 0);
    const int writer = ::open((board / (nct + "temp8_input")).c_str(), O_RDWR | O_CLOEXEC);
    Input input(board, select({"nct6795"}));
    const Numbers seen = input.sample();
    ::close(writer);
    EXPECT_EQ(seen.count("nct6795.systin"), 0U);
    EXPECT_EQ(seen.at("nct6795.systin.alarm"), 0);
    EXPECT_EQ(seen.at("nct6795.fan2"), 857);
    EXPECT_EQ(seen.count("nct6795.fan2.alarm"), 0U);
    EXPECT_EQ(seen.size(), 12U + 10U + 6U + 1U - 4U);
    EXPECT_EQ(input.host().errors.size(), 4U);
    EXPECT_TRUE(input.host().has_error("hwmon2/temp1_input: Input/output error"));
    EXPECT_TRUE(input.host().has_error("hwmon2/temp8_input: Resource temporarily unavailable"));
    EXPECT_TRUE(input.host().has_error("hwmon2/in0_input: holds no number"));
}

TEST(Hwmon, FailsWhenNoSensorAnswers) {
    const BoardFiles board("raspberry-pi-4");
    board.break_file("sys/class/thermal/thermal_zone0/temp");
    Input input(board, select({"thermal"}));
    EXPECT_EQ(input.host().sample(), -EIO);
    EXPECT_TRUE(input.host().has_error("thermal_zone0/temp: Input/output error"));
    EXPECT_TRUE(input.host().readings.empty());
}

TEST(Hwmon, LeavesOutWhatIsSwitchedOff) {
    const BoardFiles board("x86-desktop");
    board.write(nct + "fan2_enable", "0\n");
    board.write(nct + "fan3_enable", "1\n");
    Input input(board, select({"nct6795"}, {"fan2", "fan3"}));
    expect_equal(input.sample(), {{"nct6795.fan3", 878}, {"nct6795.fan3.alarm", 0}});
    EXPECT_TRUE(input.host().errors.empty());
    board.write(nct + "fan3_enable", "0\n");
    EXPECT_EQ(input.host().sample(), -ENODATA);
    EXPECT_TRUE(input.host().has_error("switched off"));
}

TEST(Hwmon, FollowsChipsThatComeAndGo) {
    const BoardFiles board("x86-desktop");
    Input input(board, select({"nvme", "k10temp"}, {"composite", "tctl"}));
    EXPECT_EQ(input.sample().size(), 5U);
    board.remove("sys/class/hwmon/hwmon1");
    // Alone of its name, a chip needs no bus id.
    expect_equal(input.sample(),
                 {{"nvme.composite", 41.85}, {"nvme.composite.alarm", 0}, {"k10temp.tctl", 47.25}});
    board.overlay("x86-desktop");
    EXPECT_EQ(input.sample().size(), 5U);
    EXPECT_TRUE(input.host().errors.empty());
}

TEST(Hwmon, IsGoneWithTheLastChipAndComesBack) {
    const BoardFiles board("odroid-xu3");
    Input input(board);
    input.sample();
    board.remove("sys/class");
    EXPECT_EQ(input.host().sample(), -ENODEV);
    EXPECT_TRUE(input.host().has_error("no chip below " + board.path().string() + "/sys/class/hwmon and no zone below " +
                                       board.path().string() + "/sys/class/thermal"))
        << input.host().errors.back();
    board.overlay("odroid-xu3");
    EXPECT_EQ(input.sample().size(), 21U);
}

TEST(Hwmon, NamesWhatThereIsWhenNothingIsSelected) {
    const BoardFiles board("raspberry-pi-4");
    Input input(board, select({"coretemp"}));
    EXPECT_EQ(input.host().sample(), -ENODEV);
    EXPECT_TRUE(input.host().has_error(
        "select no sensor of hwmon0 cpu_thermal, hwmon1 rpi_volt, thermal_zone0 cpu-thermal"));
}

// A read of theirs takes as long as a conversion.
TEST(Hwmon, TakesThermometersOf1WireOnlyByTheirName) {
    const BoardFiles board("raspberry-pi-4");
    board.write("sys/class/hwmon/hwmon7/name", "w1_slave_temp\n");
    board.write("sys/class/hwmon/hwmon7/temp1_input", "21500\n");
    for (const auto& chips : {std::vector<std::string>{"*"}, {"!rpi_volt"}}) {
        Input input(board, select(chips));
        EXPECT_EQ(input.sample().count("w1_slave_temp.temp1"), 0U) << chips[0];
    }
    Input input(board, select({"*", "w1_slave_temp"}));
    EXPECT_EQ(input.sample().at("w1_slave_temp.temp1"), 21.5);
}

TEST(Hwmon, RefusesEmptyPatterns) {
    for (const TestHost::Options& options : {select({}), select({"*"}, {"temp1", ""}), select({"!"})}) {
        TestHost host(shipped_plugin("hwmon"), options);
        EXPECT_EQ(host.open(), -EINVAL);
        EXPECT_EQ(host.errors.size(), 1U);
    }
}

TEST(Hwmon, SurvivesHostileFiles) {
    const std::string chip = "sys/class/hwmon/hwmon0/";
    for (const std::string& content :
         {std::string(), std::string("\n"), std::string("\xff\xfe\n"), std::string("99999999999999999999\n"),
          std::string("1 2\n"), std::string("-\n"), std::string("0x10\n"), std::string(100'000, '9')}) {
        const BoardFiles board;
        for (const char* file : {"name", "label", "temp1_input", "temp1_label", "temp1_fault", "temp1_enable",
                                 "in0_alarm", "temp_input", "temp1x_input", "1_input", "_input",
                                 "in99999_input", "temp1_", "fan1_input_alarm_fault"})
            board.write(chip + file, content);
        board.write("sys/class/hwmon/hwmon1/name", "well\n");
        board.write("sys/class/hwmon/hwmon1/temp1_input", "1000\n");
        board.write("sys/class/thermal/thermal_zone0/type", content);
        board.write("sys/class/thermal/thermal_zone0/temp", content);
        std::filesystem::create_directories(board / (chip + "temp2_input"));
        Input input(board);
        EXPECT_EQ(input.sample().at("well.temp1"), 1);
        EXPECT_EQ(input.sample().at("well.temp1"), 1);
    }
}

}  // namespace
}  // namespace holdfast::test
