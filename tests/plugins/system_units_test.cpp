// States of systemd units, asked for over a real D-Bus connection to a bus of the test's own, on which the
// other end is libsystemd, too.
#include <fnmatch.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>

#include <atomic>
#include <thread>

#include "shared/device/fd.hpp"
#include "system_board.hpp"

namespace holdfast::test {
namespace {

// A system bus and a systemd in one, below a sensor root.
class FakeSystemd {
  public:
    using Units = std::map<std::string, std::vector<const char*>>;  // name: load, active, sub

    FakeSystemd(const TempDir& root, Units units) : units_(std::move(units)) {
        std::filesystem::create_directories(root / "run/dbus");
        const std::string path = root / "run/dbus/system_bus_socket";
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        if (path.size() >= sizeof address.sun_path) throw std::runtime_error(path + " is too long");
        path.copy(address.sun_path, path.size());
        if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(listener_.get(), 4) != 0)
            throw std::runtime_error("cannot listen at " + path);
        thread_ = std::thread([this] { run(); });
    }
    ~FakeSystemd() {
        ::eventfd_write(stop_.get(), 1);
        thread_.join();
    }

    std::atomic<bool> greets = true;
    std::atomic<bool> refuses = false;

  private:
    // False when the test is over.
    bool wait_for(int fd) const {
        pollfd polled[] = {{fd, POLLIN, 0}, {stop_.get(), POLLIN, 0}};
        return ::poll(polled, 2, -1) > 0 && polled[1].revents == 0;
    }

    void run() {
        while (wait_for(listener_.get())) {
            const int connection = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            sd_bus* bus = nullptr;
            ::sd_bus_new(&bus);
            ::sd_bus_set_fd(bus, connection, connection);
            ::sd_bus_set_server(bus, 1, {{1}});
            ::sd_bus_start(bus);
            serve(bus, connection);
            ::sd_bus_close_unref(bus);
        }
    }

    void serve(sd_bus* bus, int connection) {
        for (;;) {
            sd_bus_message* question = nullptr;
            const int did = ::sd_bus_process(bus, &question);
            if (did < 0) return;
            if (question != nullptr) answer(bus, question);
            ::sd_bus_message_unref(question);
            if (did == 0 && !wait_for(connection)) return;
        }
    }

    void answer(sd_bus* bus, sd_bus_message* question) {
        sd_bus_message* reply = nullptr;
        const std::string method = ::sd_bus_message_get_member(question);
        if (refuses && method != "Hello") {
            const sd_bus_error error = {"org.example.No", "not today", 0};
            ::sd_bus_reply_method_error(question, &error);
            return;
        }
        ::sd_bus_message_new_method_return(question, &reply);
        if (method == "Hello") {
            if (greets) ::sd_bus_message_append(reply, "s", ":1.7");
        } else {
            append_units(question, reply, method == "ListUnitsByPatterns");
        }
        if (greets) ::sd_bus_send(bus, reply, nullptr);
        ::sd_bus_message_unref(reply);
    }

    void append_units(sd_bus_message* question, sd_bus_message* reply, bool by_pattern) {
        char** names = nullptr;
        if (by_pattern) ::sd_bus_message_skip(question, "as");
        ::sd_bus_message_read_strv(question, &names);
        ::sd_bus_message_open_container(reply, 'a', "(ssssssouso)");
        for (char** name = names; name != nullptr && *name != nullptr; ++name) {
            for (const auto& [unit, states] : units_)
                if (by_pattern && ::fnmatch(*name, unit.c_str(), 0) == 0) append_unit(reply, unit, states);
            const auto known = units_.find(*name);
            if (!by_pattern)
                append_unit(reply, *name,
                            known == units_.end() ? std::vector<const char*>{"not-found", "inactive", "dead"}
                                                  : known->second);
            ::free(*name);
        }
        ::free(names);
        ::sd_bus_message_close_container(reply);
    }

    static void append_unit(sd_bus_message* reply, const std::string& name,
                            const std::vector<const char*>& states) {
        ::sd_bus_message_append(reply, "(ssssssouso)", name.c_str(), "", states[0], states[1], states[2], "",
                                "/", 0U, "", "/");
    }

    Units units_;
    device::Fd listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    device::Fd stop_{::eventfd(0, EFD_CLOEXEC)};
    std::thread thread_;
};

class SystemUnits : public ::testing::Test {
  protected:
    void ask_for(const std::vector<std::string>& units) {
        board_.emplace("raspberry-pi-4", std::vector<std::string>{"uptime"},
                       TestHost::Options{{"units", TestHost::list(units)}});
    }
    void start_systemd(FakeSystemd::Units units) {
        systemd_.emplace(board_->root(), std::move(units));
        board_->start();
    }
    // The reading's texts and booleans, each as a text.
    std::map<std::string, std::string> sample() {
        board_->sample();
        std::map<std::string, std::string> texts;
        for (const auto& [name, value] : board_->host().readings.back().values) {
            if (const auto* text = std::get_if<std::string>(&value)) texts[name] = *text;
            if (const auto* yes = std::get_if<bool>(&value)) texts[name] = *yes ? "yes" : "no";
        }
        return texts;
    }

    std::optional<Board> board_;
    std::optional<FakeSystemd> systemd_;
};

TEST_F(SystemUnits, AreReadByNameAndByPattern) {
    ask_for({"mosquitto", "absent.timer", "app@*", "mosquitto.service"});
    start_systemd({{"mosquitto.service", {"loaded", "active", "running"}},
                   {"app@1.service", {"loaded", "failed", "failed"}},
                   {"app@2.service", {"loaded", "reloading", "reload"}},
                   {"other.service", {"loaded", "active", "running"}}});
    const std::map<std::string, std::string> expected = {{"unit.mosquitto.load", "loaded"},
                                                         {"unit.mosquitto.state", "active"},
                                                         {"unit.mosquitto.sub", "running"},
                                                         {"unit.mosquitto.active", "yes"},
                                                         {"unit.absent_timer.load", "not-found"},
                                                         {"unit.absent_timer.state", "inactive"},
                                                         {"unit.absent_timer.sub", "dead"},
                                                         {"unit.absent_timer.active", "no"},
                                                         {"unit.app_1.load", "loaded"},
                                                         {"unit.app_1.state", "failed"},
                                                         {"unit.app_1.sub", "failed"},
                                                         {"unit.app_1.active", "no"},
                                                         {"unit.app_2.load", "loaded"},
                                                         {"unit.app_2.state", "reloading"},
                                                         {"unit.app_2.sub", "reload"},
                                                         {"unit.app_2.active", "yes"}};
    EXPECT_EQ(sample(), expected);
    EXPECT_EQ(sample(), expected);
    EXPECT_TRUE(board_->host().errors.empty());
}

TEST_F(SystemUnits, SaysOnceThatThereIsNoBusAndReadsOnWhenThereIs) {
    ask_for({"mosquitto"});
    board_->start();
    EXPECT_TRUE(sample().empty());
    EXPECT_TRUE(sample().empty());
    ASSERT_EQ(board_->host().errors.size(), 1U);
    EXPECT_TRUE(board_->host().has_error("units: cannot reach the system bus"));
    systemd_.emplace(board_->root(),
                     FakeSystemd::Units{{"mosquitto.service", {"loaded", "active", "running"}}});
    EXPECT_EQ(sample().at("unit.mosquitto.state"), "active");
}

TEST_F(SystemUnits, SaysWhatSystemdRefuses) {
    ask_for({"mosquitto"});
    start_systemd({});
    systemd_->refuses = true;
    EXPECT_TRUE(sample().empty());
    EXPECT_TRUE(board_->host().has_error("units: systemd refuses: not today"));
}

TEST_F(SystemUnits, DoNotHoldUpTheOthersWhenTheBusIsStuck) {
    ask_for({"mosquitto"});
    start_systemd({});
    systemd_->greets = false;
    EXPECT_TRUE(sample().empty());
    EXPECT_TRUE(board_->host().has_error("units: no answer from the system bus"));
    EXPECT_EQ(board_->host().readings.size(), 1U) << "what else was asked for is there";
}

TEST(SystemUnitNames, AreRefusedWhenTheyCannotBeOne) {
    for (const std::string& name :
         {std::string(), std::string("a b"), std::string("a/b"), std::string(256, 'a')}) {
        TestHost host(shipped_plugin("system"), {{"units", TestHost::list({name})}});
        EXPECT_EQ(host.open(), -EINVAL) << name;
        EXPECT_TRUE(host.has_error("units: '" + name + "'"));
    }
}

}  // namespace
}  // namespace holdfast::test
