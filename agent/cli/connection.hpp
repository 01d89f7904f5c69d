// A connection to the broker as the agent would make it, under a client id of its own: for the commands that
// talk to it.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/mailbox.hpp"
#include "config/config.hpp"
#include "forward/transport.hpp"

namespace holdfast::cli {

class Connection {
  public:
    // The client id is the agent's with `suffix` and eight random digits behind it. `config` must outlive
    // this.
    Connection(const BrokerConfig& config, std::string_view suffix, Log& log);

    // Waits for the broker's answer; none: connected. Tries MQTT 3.1.1 after 5 when the configuration leaves
    // the choice.
    std::optional<LinkFailure> open(const Server& server);
    // After open(): what the broker answered, and by which protocol it was asked.
    const transport::Connected& answer() const { return answer_; }
    Protocol protocol() const { return protocol_; }
    // Waits for the broker's answer to it; none: it has it.
    std::optional<std::string> publish(Message message);
    // Says goodbye; waits two seconds at most.
    void close();

    void subscribe(const std::vector<std::string>& filters, int qos) { transport_->subscribe(filters, qos); }
    // Waits for events.
    const std::vector<transport::Event>& wait(std::optional<MonoTime> deadline);

  private:
    std::optional<LinkFailure> attempt(const Server& server, Protocol protocol);

    const BrokerConfig& config_;
    std::string client_id_;
    transport::Connected answer_;
    Protocol protocol_ = Protocol::v5;
    Mailbox<transport::Event> events_;
    std::vector<transport::Event> taken_;
    std::unique_ptr<Transport> transport_;
};

}  // namespace holdfast::cli
