// A connection to the broker as the agent would make it: for the commands that talk to it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/mailbox.hpp"
#include "config/config.hpp"
#include "forward/transport.hpp"

namespace holdfast::cli {

// The agent's id with `suffix` and eight random digits behind it, so as not to take the agent's place.
std::string client_id_beside(const BrokerConfig& config, std::string_view suffix);

class Connection {
  public:
    // `config` must outlive this.
    Connection(const BrokerConfig& config, std::string client_id, Log& log);

    enum class Session { clean, kept };
    // Waits for the broker's answer; none: connected. Tries MQTT 3.1.1 after 5 when the configuration leaves
    // the choice, and from the first connection on only what that was made by: an old broker that just closes
    // the connection says no more than once which it wants.
    std::optional<LinkFailure> open(const Server& server, Session session = Session::clean);
    // After open(): what the broker answered, and by which protocol it was asked.
    const transport::Connected& answer() const { return answer_; }
    Protocol protocol() const { return protocol_; }
    // Waits for the broker's answer to it; none: it has it.
    std::optional<std::string> publish(Message message);
    // Says goodbye, which ends the session; waits two seconds at most.
    void close();
    // Leaves without a word, so that the session stays.
    void drop() { transport_->drop(); }

    void subscribe(const std::vector<std::string>& filters, int qos) { transport_->subscribe(filters, qos); }
    // Waits for the next event; none: the deadline came first.
    std::optional<transport::Event> next(std::optional<MonoTime> deadline);

  private:
    std::optional<LinkFailure> attempt(const Server& server, Protocol protocol, Session session);

    const BrokerConfig& config_;
    const std::string client_id_;
    transport::Connected answer_;
    Protocol protocol_ = Protocol::v5;
    bool connected_ = false;  // at least once
    Mailbox<transport::Event> events_;
    std::vector<transport::Event> taken_;
    std::size_t given_ = 0;  // of those
    std::unique_ptr<Transport> transport_;
};

}  // namespace holdfast::cli
