"""What a gateway has to live with, by the real kernel: a bad link, a disk that fails or is full, memory that runs out."""
import os
import shutil
import tempfile

from case import TIMEOUT, InVirtualMachine
from shared_machine import BUILD, HOLDFAST

from certificates import Authority
from messages import Tally

NEAR, FAR = "10.9.0.1", "10.9.0.2"


class BadLink(InVirtualMachine):
    def make_link(self):
        """Two network name spaces, with a second of round trip now and then, and each tenth packet lost."""
        self.machine.run(f"""set -e
            ip netns add far
            ip link add near0 type veth peer name far0 netns far
            ip address add {NEAR}/24 dev near0
            ip -n far address add {FAR}/24 dev far0
            ip link set near0 up
            ip -n far link set far0 up
            ip -n far link set lo up
            tc qdisc add dev near0 root netem delay 100ms 30ms loss 10%
            tc -n far qdisc add dev far0 root netem delay 100ms 30ms loss 10%""")
        self.addCleanup(self.machine.command, "ip netns delete far; ip link delete near0")

    def make_broker(self):
        directory = tempfile.mkdtemp(prefix="holdfast-vm-")
        self.addCleanup(shutil.rmtree, directory)
        authority = Authority(directory)
        pair = authority.server(names=f"DNS:broker.example,IP:{FAR}")
        self.machine.run("mkdir -p /srv/broker && rm -f /srv/broker/*")
        for path in (authority.cert, pair.cert, pair.key):
            with open(path, "rb") as file:
                self.machine.agent.write(f"/srv/broker/{os.path.basename(path)}", file.read())
        self.machine.write("/srv/broker/mosquitto.conf", f"""user root
listener 8883 {FAR}
cafile /srv/broker/ca.crt
certfile /srv/broker/server.crt
keyfile /srv/broker/server.key
listener 1883 127.0.0.1
allow_anonymous true
max_queued_messages 0
""")
        self.run_far("vm-broker", "mosquitto -c /srv/broker/mosquitto.conf")
        self.run_far("vm-subscriber", "sh -c 'until mosquitto_sub -q 1 -t holdfast/gw-17/it >/srv/broker/messages; do sleep 0.2; done'")
        # A retained message goes round until the subscriber has it: it is subscribed then.
        self.machine.run("until ip netns exec far mosquitto_pub -r -t holdfast/gw-17/it -m ready; do sleep 0.1; done; "
                         "until grep -q ready /srv/broker/messages; do sleep 0.1; done", TIMEOUT)

    def run_far(self, unit, command):
        self.machine.run(f"systemd-run -q --collect --unit={unit} ip netns exec far {command}")
        self.addCleanup(self.machine.command, f"systemctl stop {unit}")

    def test_no_reading_is_lost_over_tls_where_packets_are_late_and_lost(self):
        self.make_link()
        self.make_broker()
        config = self.config({"name": "it", "plugin": "simulator", "options": {"rate": 100, "count": 2000}})
        del config["batch"]["timestamp_unit"]
        config["broker"] = {"servers": [f"mqtts://{FAR}:8883"], "tls": {"ca_file": "/srv/broker/ca.crt"}}
        agent = self.run_configured(config)
        agent.wait_status(lambda status: status["forward"]["acked_readings"] == 2000, "2000 readings acknowledged")
        dropped = int(self.machine.run("tc -s qdisc show dev near0 | sed -n 's/.*dropped \\([0-9]*\\).*/\\1/p'"))
        self.assertGreater(dropped, 0)
        lines = self.machine.run("cat /srv/broker/messages").encode().splitlines()
        tally = Tally([Payload(line) for line in lines if line != b"ready"])
        self.assertEqual(tally.run(), set(range(2000)))
        self.assertEqual(tally.gaps, [])


class Payload:
    def __init__(self, payload):
        self.payload = payload


class FailingDisk(InVirtualMachine):
    def run_on_a_disk(self):
        agent = self.run_configured(self.config({"name": "it", "plugin": "simulator", "options": {"rate": 50}}), disk="24M")
        agent.wait_status(lambda status: status["buffer"]["committed_readings"] > 50, "readings on the disk")
        return agent

    def goes_on_in_memory(self, agent, reason):
        status = agent.wait_status(lambda status: reason in str(status["buffer"].get("last_error")), f"it says: {reason}")
        taken = status["inputs"][0]["readings"]
        return agent.wait_status(lambda status: status["inputs"][0]["readings"] > taken + 100
                                 and status["buffer"]["in_memory_readings"] > 100, "it goes on")

    def test_a_disk_that_becomes_read_only_is_told_and_readings_go_on(self):
        agent = self.run_on_a_disk()
        # What ext4 does by itself when the card below it fails, with errors=remount-ro.
        self.machine.run(f"mount -o remount,abort {agent.state}")
        self.goes_on_in_memory(agent, "disk I/O error")
        self.assertEqual(self.machine.command(f"touch {agent.state}/it").code, 1)
        agent.stop()
        self.machine.run(f"umount {agent.state} && {{ e2fsck -fy {agent.directory}/disk || [ $? = 1 ]; }} && "
                         f"mount -o loop {agent.directory}/disk {agent.state}", TIMEOUT)
        agent.start()
        status = agent.wait_status(lambda status: status["buffer"]["committed_readings"] > 0, "it writes again")
        self.assertFalse(status["buffer"].get("last_error"))
        self.assertEqual(self.machine.run(f"ls {agent.state} | grep corrupt || true"), "")

    def test_a_disk_that_others_fill_is_told_and_used_again_when_there_is_room(self):
        agent = self.run_on_a_disk()
        self.machine.command(f"cat /dev/zero >{agent.state}/others")
        self.assertLess(int(self.machine.run(f"df --output=avail {agent.state} | tail -n 1")), 16)  # KiB
        before = agent.status()["inputs"][0]["readings"]
        agent.wait_readings(before + 200)
        self.machine.run(f"rm {agent.state}/others")
        agent.wait_status(lambda status: status["buffer"]["committed_readings"] > before + 200
                          and not status["buffer"].get("last_error"), "it writes again")
        numbers = [reading["values"]["n"] for reading in agent.readings()]
        self.assertEqual(numbers, list(range(len(numbers))))


class MemoryLimit(InVirtualMachine):
    def test_a_leaking_plugin_host_costs_its_own_input_where_the_unit_has_no_more_memory(self):
        self.machine.run(f"cp {BUILD}/tests/plugins/rogue.so /opt/holdfast/plugins/ && chmod 755 /opt/holdfast/plugins/rogue.so")
        self.addCleanup(self.machine.run, "rm /opt/holdfast/plugins/rogue.so")
        leak = {"name": "leak", "plugin": "rogue", "interval": "1s", "memory_limit": "4GiB", "options": {"deed": "leak"}}
        sound = {"name": "it", "plugin": "simulator", "options": {"rate": 20}}
        # As holdfast.service has them (docs/resource-limits.md), where the limit of the host itself does not come first.
        agent = self.run_configured(self.config(sound, leak), properties=("MemoryMax=64M", "OOMPolicy=continue"))
        daemon = self.machine.run(f"systemctl show -P MainPID {agent.unit}")
        agent.wait_inputs(lambda inputs: inputs["leak"]["restarts"] >= 2, "the host that leaks is killed and started again")
        kills = self.machine.run(f"sed -n 's/^oom_kill //p' /sys/fs/cgroup/system.slice/{agent.unit}.service/memory.events")
        self.assertGreaterEqual(int(kills), 2)
        self.assertEqual(self.machine.run(f"systemctl show -P MainPID {agent.unit}"), daemon)
        agent.wait_more(40)
        numbers = [reading["values"]["n"] for reading in agent.readings()]
        self.assertEqual(numbers, list(range(len(numbers))))
