#include "control/status.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/json_writer.hpp"
#include "forward/wall_dates.hpp"

namespace holdfast {
namespace {

void put_ms(JsonWriter& json, std::string_view key, std::optional<std::int64_t> wall_us) {
    json.key(key);
    if (wall_us)
        json.number(*wall_us / 1000);
    else
        json.null();
}

void put_buffer(JsonWriter& json, const BufferStatus& buffer) {
    json.begin_object();
    json.key("batches").number(buffer.batches);
    json.key("readings").number(buffer.readings);
    json.key("bytes").number(buffer.bytes);
    put_ms(json, "oldest_ts", buffer.oldest_wall_us);
    json.key("oldest_age_s").number_or_null(buffer.oldest_age_s);
    json.key("drain_rate").number(buffer.drain_rate);
    json.key("empty_in_s").number_or_null(buffer.empty_in_s);
    json.key("in_memory_readings").number(buffer.in_memory_readings);
    json.key("committed_readings").number(buffer.committed_readings);
    json.key("salvaging_readings").number(buffer.salvaging_readings);
    json.key("dropped_readings").number(buffer.dropped_readings);
    json.key("thinned_readings").number(buffer.thinned_readings);
    json.key("refused_messages").number(buffer.refused_messages);
    json.key("refused_readings").number(buffer.refused_readings);
    json.key("inputs_wait").boolean(buffer.inputs_wait);
    json.key("written_bytes").number(buffer.written_bytes);
    json.key("written_bytes_per_day").number(buffer.written_bytes_per_day);
    json.key("last_error").any_text(buffer.last_error);
    json.end_object();
}

void put_days(JsonWriter& json, std::string_view key, std::optional<std::int64_t> ends_wall_us,
              std::int64_t wall_us) {
    json.key(key);
    if (ends_wall_us)
        json.number(days_until(*ends_wall_us, wall_us));
    else
        json.null();
}

void put_tls(JsonWriter& json, const ForwardStatus& forward, std::int64_t wall_us) {
    const TlsSession session = forward.tls.value_or(TlsSession{});
    json.begin_object();
    json.key("protocol").any_text(session.version);
    json.key("cipher").any_text(session.cipher);
    json.key("server_name").any_text(session.peer_names);
    put_days(json, "server_days_to_expiry", session.not_after_wall_us, wall_us);
    put_days(json, "client_days_to_expiry", forward.client_not_after_wall_us, wall_us);
    json.key("files_error").any_text(forward.files_error);
    json.end_object();
}

void put_broker(JsonWriter& json, const ForwardStatus& forward, std::int64_t wall_us) {
    json.begin_object();
    json.key("state").text(to_string(forward.state));
    json.key("server").any_text(forward.server);
    put_ms(json, "since", forward.since_wall_us);
    json.key("last_error").any_text(forward.last_error);
    json.key("reconnects").number(forward.reconnects);
    json.key("takeovers").number(forward.takeovers);
    put_tls(json.key("tls"), forward, wall_us);
    json.end_object();
}

void put_forward(JsonWriter& json, const ForwardStatus& forward) {
    json.begin_object();
    json.key("published_readings").number(forward.published_readings);
    json.key("acked_readings").number(forward.acked_readings);
    json.key("acked_messages").number(forward.acked_messages);
    json.key("in_flight").number(forward.in_flight);
    json.key("non_finite").number(forward.non_finite);
    json.key("refused_messages").number(forward.refused_messages);
    json.key("split_messages").number(forward.split_messages);
    json.end_object();
}

void put_input(JsonWriter& json, const InputStatus& input) {
    json.begin_object();
    json.key("name").any_text(input.name);
    json.key("plugin").any_text(input.plugin);
    json.key("state").text(to_string(input.state));
    json.key("pid").number(input.pid);
    json.key("readings").number(input.readings);
    json.key("errors").number(input.errors);
    json.key("missed").number(input.missed);
    json.key("non_finite").number(input.non_finite);
    json.key("restarts").number(input.restarts);
    json.key("last_error").any_text(input.last_error);
    put_ms(json, "last_reading_ts", input.last_reading_wall_us);
    json.end_object();
}

std::string duration_text(std::int64_t seconds) {
    seconds = std::max<std::int64_t>(seconds, 0);
    char text[48];
    if (seconds < 120)
        std::snprintf(text, sizeof text, "%lld s", static_cast<long long>(seconds));
    else if (seconds < 2 * 3600)
        std::snprintf(text, sizeof text, "%lld min", static_cast<long long>(seconds / 60));
    else if (seconds < 2 * 86400)
        std::snprintf(text, sizeof text, "%lld h %lld min", static_cast<long long>(seconds / 3600),
                      static_cast<long long>(seconds / 60 % 60));
    else
        std::snprintf(text, sizeof text, "%lld days", static_cast<long long>(seconds / 86400));
    return text;
}

std::string bytes_text(std::uint64_t bytes) {
    char text[32];
    if (bytes < 10'000)
        std::snprintf(text, sizeof text, "%llu bytes", static_cast<unsigned long long>(bytes));
    else if (bytes < 10 * 1024 * 1024)
        std::snprintf(text, sizeof text, "%.1f KiB", static_cast<double>(bytes) / 1024);
    else
        std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1024 * 1024));
    return text;
}

void put_expiry(std::string& text, const char* whose, std::optional<std::int64_t> ends_wall_us,
                std::int64_t wall_us) {
    if (!ends_wall_us) return;
    const std::int64_t days = days_until(*ends_wall_us, wall_us);
    text += std::string("\n          ") + whose + (days < 0 ? " has expired on " : " expires on ") +
            date_text(*ends_wall_us);
}

std::string broker_text(const ForwardStatus& forward, std::int64_t wall_us) {
    if (forward.server.empty()) return "no server is configured; readings are kept in the buffer";
    std::string text(to_string(forward.state));
    text += " " + forward.server + " for " + duration_text((wall_us - forward.since_wall_us) / 1'000'000);
    if (forward.reconnects > 0) text += ", " + std::to_string(forward.reconnects) + " reconnects";
    if (forward.takeovers > 0)
        text += ", taken over " + std::to_string(forward.takeovers) + " times, last at " +
                date_text(forward.last_takeover_wall_us);
    if (!forward.last_error.empty()) text += "\n          last error: " + forward.last_error;
    if (!forward.files_error.empty()) text += "\n          files not used: " + forward.files_error;
    put_expiry(text, "our certificate", forward.client_not_after_wall_us, wall_us);
    if (forward.tls) put_expiry(text, "the server's certificate", forward.tls->not_after_wall_us, wall_us);
    return text;
}

void put_input_line(std::string& out, const InputStatus& input, std::size_t name_width) {
    out += "  " + input.name + std::string(name_width - input.name.size() + 2, ' ');
    out += std::string(to_string(input.state)) + ", " + std::to_string(input.readings) + " readings, " +
           std::to_string(input.errors) + " errors, ";
    if (input.missed > 0) out += std::to_string(input.missed) + " missed, ";
    out += std::to_string(input.restarts) + " restarts (" + input.plugin + ")\n";
    if (!input.last_error.empty()) out += "    last error: " + input.last_error + "\n";
}

}  // namespace

std::string status_json(const AgentStatus& status) {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    json.key("agent").any_text(status.agent);
    json.key("version").text(status.version);
    json.key("uptime_s").number(status.uptime_s);
    json.key("broker");
    put_broker(json, status.forward, status.wall_us);
    json.key("buffer");
    put_buffer(json, status.buffer);
    json.key("forward");
    put_forward(json, status.forward);
    json.key("inputs").begin_array();
    for (const InputStatus& input : status.inputs)
        put_input(json, input);
    json.end_array().end_object();
    return out;
}

std::string buffer_json(const BufferStatus& buffer) {
    std::string out;
    JsonWriter json(out);
    put_buffer(json, buffer);
    return out;
}

std::string buffer_text(const BufferStatus& buffer) {
    std::string out = std::to_string(buffer.readings) + " readings in " + std::to_string(buffer.batches) +
                      " batches (" + std::to_string(buffer.committed_readings) + " on disk, " +
                      std::to_string(buffer.in_memory_readings) + " in memory), " + bytes_text(buffer.bytes) +
                      " on disk";
    if (buffer.oldest_age_s) out += ", oldest " + duration_text(*buffer.oldest_age_s) + " old";
    if (buffer.empty_in_s)
        out += "\n          draining " + std::to_string(std::llround(buffer.drain_rate)) +
               " readings per second, empty in " + duration_text(*buffer.empty_in_s);
    out += "\n          written " + bytes_text(buffer.written_bytes) + " since start, " +
           bytes_text(buffer.written_bytes_per_day) + " per day";
    if (buffer.inputs_wait) out += "\n          full: inputs wait";
    if (buffer.thinned_readings > 0)
        out += "\n          thinned: " + std::to_string(buffer.thinned_readings) +
               " readings merged into coarser ones";
    if (buffer.salvaging_readings > 0)
        out += "\n          salvage: " + std::to_string(buffer.salvaging_readings) +
               " readings are being taken over from a damaged buffer";
    if (buffer.dropped_readings > 0)
        out += "\n          dropped: " + std::to_string(buffer.dropped_readings) + " readings";
    if (buffer.refused_messages > 0)
        out += "\n          refused: " + std::to_string(buffer.refused_readings) + " of these readings in " +
               std::to_string(buffer.refused_messages) +
               " messages are set aside (holdfast buffer refused list)";
    if (!buffer.last_error.empty()) out += "\n          disk: " + buffer.last_error;
    return out;
}

std::string status_text(const AgentStatus& status) {
    std::string out = "agent     " + status.agent + ", version " + status.version + ", up " +
                      duration_text(static_cast<std::int64_t>(status.uptime_s)) + "\n";
    out += "broker    " + broker_text(status.forward, status.wall_us) + "\n";
    out += "buffer    " + buffer_text(status.buffer) + "\n";
    out += "forward   " + std::to_string(status.forward.acked_readings) + " readings acknowledged in " +
           std::to_string(status.forward.acked_messages) + " messages, " +
           std::to_string(status.forward.in_flight) + " messages in flight\n";
    out += status.inputs.empty() ? "inputs    none\n" : "inputs\n";
    std::size_t width = 0;
    for (const InputStatus& input : status.inputs)
        width = std::max(width, input.name.size());
    for (const InputStatus& input : status.inputs)
        put_input_line(out, input, width);
    return out;
}

std::string status_line(const AgentStatus& status) {
    const auto running =
        std::count_if(status.inputs.begin(), status.inputs.end(),
                      [](const InputStatus& input) { return input.state == InputState::running; });
    std::string line =
        status.forward.server.empty() ? "no server configured" : std::string(to_string(status.forward.state));
    line += "; " + std::to_string(status.buffer.readings) + " readings held; " + std::to_string(running) +
            " of " + std::to_string(status.inputs.size()) + " inputs running";
    return line;
}

}  // namespace holdfast
