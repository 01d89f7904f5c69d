// bench_paho_publisher URL CA_FILE TOPIC PAYLOAD_BYTES MESSAGES WINDOW: the peer of the drain.
//
// Sends that many messages at QoS 1 with Paho's C library alone, as fast as the window lets it, and prints
// messages per second and the CPU seconds it took. Nothing is read, encoded or stored: less can't be done.
#include <MQTTAsync.h>
#include <semaphore.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

std::atomic<bool> failed = false;
std::atomic<int> acknowledged = 0;
sem_t window;
sem_t connected;

void on_delivered(void*, MQTTAsync_successData5*) {
    acknowledged.fetch_add(1, std::memory_order_relaxed);
    sem_post(&window);
}
void on_not_delivered(void*, MQTTAsync_failureData5*) {
    failed = true;
    sem_post(&window);
}
void on_connected(void*, MQTTAsync_successData5*) {
    sem_post(&connected);
}
void on_not_connected(void*, MQTTAsync_failureData5*) {
    failed = true;
    sem_post(&connected);
}
void on_lost(void*, char*) {
    failed = true;
    sem_post(&window);
}

[[noreturn]] void die(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::exit(1);
}

void connect(MQTTAsync client, const char* ca_file) {
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    tls.trustStore = ca_file;
    options.ssl = &tls;
    options.cleanstart = 1;
    options.maxInflight = 65'535;  // the window is ours
    options.onSuccess5 = on_connected;
    options.onFailure5 = on_not_connected;
    if (MQTTAsync_connect(client, &options) != MQTTASYNC_SUCCESS) die("cannot connect");
    sem_wait(&connected);
    if (failed) die("the broker can't be reached");
}

void send(MQTTAsync client, const char* topic, std::string& payload, int messages) {
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.onSuccess5 = on_delivered;
    response.onFailure5 = on_not_delivered;
    for (int i = 0; i < messages && !failed; ++i) {
        sem_wait(&window);
        MQTTAsync_message message = MQTTAsync_message_initializer;
        message.payload = payload.data();
        message.payloadlen = static_cast<int>(payload.size());
        message.qos = 1;
        if (MQTTAsync_sendMessage(client, topic, &message, &response) != MQTTASYNC_SUCCESS) failed = true;
    }
}

double cpu_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 7) die("usage: bench_paho_publisher URL CA_FILE TOPIC PAYLOAD_BYTES MESSAGES WINDOW");
    std::string payload(std::strtoul(arguments[4], nullptr, 10), 'x');
    const int messages = std::atoi(arguments[5]);
    const int in_flight = std::atoi(arguments[6]);
    sem_init(&window, 0, static_cast<unsigned>(in_flight));
    sem_init(&connected, 0, 0);

    MQTTAsync client = nullptr;
    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
    create.maxBufferedMessages = 65'535;
    if (MQTTAsync_createWithOptions(&client, arguments[1], "bench-publisher", MQTTCLIENT_PERSISTENCE_NONE,
                                    nullptr, &create) != MQTTASYNC_SUCCESS)
        die("cannot make a client");
    MQTTAsync_setCallbacks(
        client, nullptr, on_lost, [](void*, char*, int, MQTTAsync_message*) { return 1; }, nullptr);
    connect(client, arguments[2]);

    const double cpu_before = cpu_seconds();
    const auto began = std::chrono::steady_clock::now();
    send(client, arguments[3], payload, messages);
    for (int left = in_flight; left > 0 && !failed; --left)
        sem_wait(&window);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    if (failed || acknowledged != messages) die("the connection was lost");
    std::printf("%.0f %.3f\n", messages / took.count(), cpu_seconds() - cpu_before);
    std::fflush(stdout);
    std::_Exit(0);  // Paho's own threads are of no more interest
}
