// bench_paho_cpp_publisher URL CA_FILE TOPIC PAYLOAD_BYTES MESSAGES WINDOW: the peer of the agent.
//
// Sends that many messages at QoS 1 with Paho's C++ library, a listener's callback for each, as fast as the
// window lets it, and prints messages per second and the CPU seconds it took. Nothing is read, encoded or
// stored.
#include <mqtt/async_client.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <semaphore>
#include <stdexcept>
#include <string>

#include "bench/process.hpp"

namespace {

constexpr int widest_window = 65'535;

class Window final : public mqtt::iaction_listener {
  public:
    explicit Window(int size) : free_(size) {}
    void wait() { free_.acquire(); }
    void on_success(const mqtt::token&) override { free_.release(); }
    void on_failure(const mqtt::token&) override {
        failed_ = true;
        free_.release();
    }
    bool failed() const { return failed_; }

  private:
    std::counting_semaphore<widest_window> free_;
    std::atomic<bool> failed_ = false;
};

void connect(mqtt::async_client& client, const char* ca_file) {
    mqtt::ssl_options tls;
    tls.set_trust_store(ca_file);
    mqtt::connect_options options;
    options.set_mqtt_version(MQTTVERSION_5);
    options.set_clean_start(true);
    options.set_max_inflight(widest_window);  // the window is ours
    options.set_ssl(tls);
    client.connect(options)->wait();
}

int run(char** arguments) {
    const std::string topic = arguments[3];
    const std::string payload(std::stoul(arguments[4]), 'x');
    const int messages = std::stoi(arguments[5]);
    const int in_flight = std::stoi(arguments[6]);
    mqtt::create_options create(MQTTVERSION_5);
    create.set_max_buffered_messages(widest_window);
    mqtt::async_client client(arguments[1], "bench-cpp-publisher", create);
    connect(client, arguments[2]);

    Window window(in_flight);
    const double cpu_before = holdfast::bench::cpu_seconds();
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < messages && !window.failed(); ++i) {
        window.wait();
        client.publish(mqtt::message::create(topic, payload, 1, false), nullptr, window);
    }
    for (int left = in_flight; left > 0 && !window.failed(); --left)
        window.wait();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    if (window.failed()) throw std::runtime_error("the connection was lost");
    std::printf("%.0f %.3f\n", messages / took.count(), holdfast::bench::cpu_seconds() - cpu_before);
    client.disconnect()->wait();
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 7) {
        std::fputs("usage: bench_paho_cpp_publisher URL CA_FILE TOPIC PAYLOAD_BYTES MESSAGES WINDOW\n",
                   stderr);
        return 2;
    }
    try {
        return run(arguments);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
