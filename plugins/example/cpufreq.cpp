// A first plugin: the clock of a processor, from /sys.
#include <cstdio>
#include <memory>

#include <holdfast/plugin.hpp>

namespace {

using namespace holdfast::plugin;

class CpuFrequency {
  public:
    explicit CpuFrequency(Host host)
        : host_(host),
          path_(host.sensor_root() + "/sys/devices/system/cpu/cpu" + std::to_string(host.integer("cpu")) +
                "/cpufreq/scaling_cur_freq"),
          frequency_(host.channel<double>("frequency", "Hz")) {}

    void sample() {
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path_.c_str(), "re"),
                                                                   std::fclose);
        double kilohertz = 0;
        if (!file || std::fscanf(file.get(), "%lf", &kilohertz) != 1) fail(ENOENT, "cannot read " + path_);
        reading_.clear();
        reading_.set(frequency_, kilohertz * 1000);
        host_.emit(reading_);
    }

  private:
    Host host_;
    std::string path_;
    Channel<double> frequency_;
    Reading reading_;
};

constexpr holdfast_option options[] = {
    option(HOLDFAST_OPTION_I64, "cpu", "0", "number of the processor, from 0")};

}  // namespace

HOLDFAST_PLUGIN(CpuFrequency, "cpufreq", "1.0", "The clock of a processor.", options)
