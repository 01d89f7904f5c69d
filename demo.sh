#!/bin/bash
# demo.sh [HOLDFAST]: the main job on this machine, in about half a minute: readings to a TLS broker, the broker away, the broker back.
# Builds the agent, or takes the one that is named, as /usr/bin/holdfast; then all that it needs has to be installed.
#
# Installs what is missing with apt, saying so first (as root, or with sudo). Works in a temporary directory and on loopback
# only; leaves no process and no file behind but build/demo. Exit status: 0 when every reading arrived.
set -euo pipefail
cd "$(dirname "$0")"

count=400 rate=25 # readings of the simulator: 16 seconds of them
bold='' plain=''
if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
give_up() { printf '\nThe demo failed: %s\n' "$*" >&2; tail -n 20 "$work"/*.log >&2 || true; exit 1; }

# --- programs

build() {
    .ci/install build demo
    say "Building the agent, optimised as the Debian package is (build/demo); the first time this takes some minutes"
    mkdir -p build
    local launcher
    launcher=$(command -v ccache || true)
    cmake -S . -B build/demo -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHOLDFAST_TESTS=OFF \
        ${launcher:+-DCMAKE_CXX_COMPILER_LAUNCHER="$launcher"} >build/demo.log || { cat build/demo.log; exit 1; }
    cmake --build build/demo
}
holdfast=${1:-$PWD/build/demo/bin/holdfast}
if [ $# = 0 ]; then build; fi

# --- a place to work, gone in the end

work=$(mktemp -d)
agent='' broker='' subscriber=''
finish() {
    local pid
    for pid in $agent $subscriber $broker; do kill "$pid" 2>/dev/null || true; done
    for pid in $agent $subscriber $broker; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

say "Making a certificate authority and a certificate for the broker"
(
    cd "$work"
    key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
    openssl req -x509 "${key[@]}" -keyout ca.key -out ca.crt -days 2 -subj "/CN=Demo authority"
    openssl req -new "${key[@]}" -keyout broker.key -out broker.csr -subj "/CN=localhost"
    echo "subjectAltName=DNS:localhost" >names
    openssl x509 -req -in broker.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out broker.crt
) >"$work/openssl.log" 2>&1 || give_up "openssl could not make the certificates"

port=$((20000 + RANDOM % 12000))
cat >"$work/broker.conf" <<END
listener $port 127.0.0.1
cafile $work/ca.crt
certfile $work/broker.crt
keyfile $work/broker.key
allow_anonymous true
user $(id -un)
persistence true
persistence_location $work/
max_queued_messages 1000000
END
cat >"$work/holdfast.toml" <<END
[agent]
id = "demo"
[broker]
servers = ["mqtts://localhost:$port"]
backoff_initial = "200ms"
backoff_max = "1s"
[broker.tls]
ca_file = "ca.crt"
[batch]
max_delay = "500ms"
[[input]]
name = "machine"
plugin = "system"
interval = "1s"
[[input]]
name = "counter"
plugin = "simulator"
[input.options]
rate = $rate
count = $count
END

# --- helpers

# eventually SECONDS WHAT COMMAND...: polls until the command is true.
eventually() {
    local tries=$(($1 * 5)) what=$2
    shift 2
    while ! "$@" >/dev/null 2>&1; do
        [ $((tries -= 1)) -gt 0 ] || give_up "no $what"
        sleep 0.2
    done
}
start_broker() {
    PATH=$PATH:/usr/sbin mosquitto -c "$work/broker.conf" >>"$work/broker.log" 2>&1 &
    broker=$!
    eventually 10 "broker on port $port" bash -c ": </dev/tcp/127.0.0.1/$port"
}
stop_broker() {
    kill "$broker"
    wait "$broker" || true
    broker=''
}
# status EXPRESSION: what Python makes of it with the agent's status as `s`.
status() {
    "$holdfast" status --json --runtime-dir "$work/run" | python3 -c "import json, sys, types
s = json.load(sys.stdin, object_hook=lambda members: types.SimpleNamespace(**members))
print($1)"
}
is() { [ "$(status "$1")" = True ]; }
received() { grep '^holdfast/' "$work/subscriber.log"; }
# The whole log is read: a reader that left early would break the pipe.
has_received() { received | grep -- "$1" >/dev/null; }
has_said_goodbye() { received | grep -- '/status ' | tail -n 1 | grep -- '"state":"offline"' >/dev/null; }

# summarise: from what the subscriber printed; fails when a number of the counter is missing or came twice.
summarise() {
    received >"$work/received"
    python3 - "$work/received" "$count" <<'END'
import collections, json, sys
count, ids, numbers, machine = int(sys.argv[2]), set(), collections.Counter(), 0
with open(sys.argv[1]) as lines:
    for line in lines:
        topic, _, payload = line.partition(" ")
        body = json.loads(payload)
        # At least once: the broker may get a message again, under the same id.
        if topic.endswith("/status") or body["id"] in ids:
            continue
        ids.add(body["id"])
        if body["input"] == "counter":
            numbers.update(reading["values"]["n"] for reading in body["readings"])
        else:
            machine += len(body["readings"])
missing = set(range(count)) - set(numbers)
twice = [n for n, times in numbers.items() if times > 1]
print(f"  readings of the counter that arrived   {len(numbers)} of {count}, {len(missing)} missing, {len(twice)} twice")
print(f"  readings of this machine that arrived  {machine}")
print(f"  messages                               {len(ids)}, each with an id of its own")
sys.exit(0 if not missing and not twice and machine else 1)
END
}

# --- the story

say "Starting a TLS broker (mosquitto) on port $port of loopback, and a subscriber that is not ours (mosquitto_sub)"
start_broker
stdbuf -oL mosquitto_sub -h localhost -p "$port" --cafile "$work/ca.crt" -i demo-subscriber -c -q 1 -d -v -t 'holdfast/#' \
    >>"$work/subscriber.log" 2>&1 &
subscriber=$!
eventually 10 "subscription" grep -q SUBACK "$work/subscriber.log"

say "Starting the agent: this machine's readings each second, and a counter with $rate readings per second"
mkdir "$work/run" "$work/state"
"$holdfast" run --config "$work/holdfast.toml" --state-dir "$work/state" --runtime-dir "$work/run" >>"$work/agent.log" 2>&1 &
agent=$!
eventually 20 "reading at the subscriber" has_received '"readings"'
for _ in 1 2 3 4; do
    sleep 1
    received | tail -n 2 | cut -c 1-150
done

say "Stopping the broker: the readings stay here"
stop_broker
for _ in 1 2 3 4 5; do
    sleep 1
    printf '  %s\n' "$(status 'f"broker: {s.broker.state}, {s.buffer.readings} readings held, {s.buffer.committed_readings} of them on disk"')"
done

say "Starting the broker again: the backlog drains while new readings go on"
start_broker
for _ in 1 2 3 4; do
    sleep 1
    printf '  %s\n' "$(status 'f"broker: {s.broker.state}, {s.buffer.readings} readings held, {s.forward.acked_readings} acknowledged since start"')"
done
eventually 30 "end of the counter" is "s.inputs[1].state == 'stopped' and s.inputs[1].readings == $count"

say "Stopping the agent: what is on its way arrives, the rest stays on disk; it says offline and leaves"
kill "$agent"
wait "$agent" || give_up "the agent ended with an error"
agent=''
left=$("$holdfast" buffer stat --json --config "$work/holdfast.toml" --state-dir "$work/state" --runtime-dir "$work/run" 2>>"$work/agent.log" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["readings"])')
eventually 10 "offline status at the subscriber" has_said_goodbye

say "Summary"
if ! summarise; then give_up "readings were lost"; fi
printf '  readings still in the buffer           %s\n' "$left"
echo "Nothing was lost."
