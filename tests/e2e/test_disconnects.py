"""Connections that are cut at random moments, and brokers that restart, under load: every quality of service, both versions."""
import bisect
import os
import random
from collections import Counter

from fleet import WINDOW, Fleet, arrivals, repeats
from case import by_chance, needs
from messages import Tally
from waiting import wait_until

DISCONNECTS = int(os.environ.get("HOLDFAST_DISCONNECTS", "15"))
RESTARTS = int(os.environ.get("HOLDFAST_RESTARTS", "4"))
LONGEST_LIFE = 0.6  # seconds that a connection may last: some do not get beyond the TLS handshake


class Disconnects(Fleet):
    @by_chance
    @needs(timeout=90 + 2 * DISCONNECTS, processors=2)
    def test_random_disconnects_lose_nothing_and_repeat_what_they_may(self):
        seed = int(os.environ.get("HOLDFAST_SEED", random.getrandbits(32)))
        random.seed(seed)
        print(f"{DISCONNECTS} disconnects of each, HOLDFAST_SEED={seed}", flush=True)
        for member in self.members:
            member.proxy.cut_at_random(DISCONNECTS, lambda: random.uniform(0, LONGEST_LIFE))
        for member in self.members:
            wait_until(lambda: member.proxy.cuts == DISCONNECTS, lambda: f"{member}: cuts, so far {member.proxy.cuts}",
                       timeout=60 + 2 * DISCONNECTS, interval=0.1)
        known = self.hold_back()
        taken_in = self.finish()
        for member, messages in self.results(taken_in):
            with self.subTest(member.name):
                self.check(member, messages, taken_in[member.name], known[member.name])

    def hold_back(self):
        """An outage at the end, for QoS 0: returns for each agent how many readings count as delivered during it, and how
        many of those the subscriber does not have."""
        for member in self.members:
            member.proxy.refuse()
            member.proxy.cut()
        acknowledged = {}
        for member in self.members:
            status = member.agent.wait_status(lambda s: s["broker"]["state"] != "connected" and s["buffer"]["readings"] > 50,
                                              f"{member} holds readings")
            acknowledged[member.name] = status["forward"]["acked_readings"]
        self.wait_all_arrived()
        known = {}
        for member in self.members:
            there = len(Tally(self.messages(member)).run())
            known[member.name] = max(0, acknowledged[member.name] - there)
            member.proxy.refuse(False)
        return known

    def check(self, member, messages, taken_in, known_lost):
        if member.qos == 0:
            # What counted as delivered and was still in a socket is lost; of what the agent holds, nothing is. What had
            # arrived without the agent knowing hides a loss in the count, and comes again.
            tally = Tally(messages)
            again = len(tally.readings) - len(tally.run())
            self.assertLessEqual(taken_in - len(tally.run()), known_lost + again)
        else:
            self.check_all_there(member, taken_in)
        self.assert_session_kept(member)
        if member.qos == 2:
            self.assertEqual(repeats(messages), [])
        else:
            self.check_repeats_of_each_connection(member, messages)

    def check_repeats_of_each_connection(self, member, messages):
        """A connection brings again at most what was in flight when the one before it was cut."""
        connection, connections = 0, []  # of each message, which the broker hands out in the order in which it takes them in
        for line in self.broker.log().splitlines():
            if f" as {member} (" in line:
                connection += 1
            elif line.startswith(f"Received PUBLISH from {member} (") and f"'holdfast/{member}/sim'" in line:
                connections.append(connection)
        self.assertEqual(len(connections), len(messages))
        again = Counter(connections[position] for position in repeats(messages))
        self.assertLessEqual(max(again.values(), default=0), WINDOW, again)

    def assert_session_kept(self, member):
        version = "p5" if member.name.endswith("v5") else "p2"
        starts = self.broker.log().count(f" as {member} ({version}, c1,")
        self.assertEqual(starts, 1, f"{member} gave up its session")


class Restarts(Fleet):
    """What QoS 0 loses here has no bound: a broker keeps none of it for a subscriber that is away."""

    @by_chance
    @needs(timeout=90 + 5 * RESTARTS, processors=2)
    def test_broker_restarts_with_session_kept_and_lost_lose_nothing(self):
        starts = {member.name: [] for member in self.members}  # how many messages had come before each interruption
        losses = {member.name: [] for member in self.members}  # and when the session was lost
        self.note(starts)
        self.resume_sessions()
        for number in range(RESTARTS):
            self.note(starts)
            if number % 2:
                self.restart_without_sessions()
                self.note(losses)
                for member in self.members:
                    member.proxy.refuse(False)
            else:
                self.broker.stop()
                self.broker.start()
            for member in self.members:
                self.wait_delivers_again(member, number + 2)
        taken_in = self.finish()
        for member, messages in self.results(taken_in):
            with self.subTest(member.name):
                if member.qos > 0:
                    self.check_all_there(member, taken_in[member.name])
                again = Counter(bisect.bisect_right(starts[member.name], position) for position in repeats(messages))
                self.assertLessEqual(max(again.values(), default=0), WINDOW, again)
                if member.qos == 2:
                    self.check_repeats_only_over_a_loss(messages, losses[member.name])

    def note(self, counts):
        for member in self.members:
            counts[member.name].append(len(self.messages(member)))

    def resume_sessions(self):
        """mosquitto 2.0.11 saves no session whose latest connection began clean, as the first one of an agent does."""
        for member in self.members:
            member.proxy.cut()
            self.wait_delivers_again(member, 1)

    def restart_without_sessions(self):
        """What the broker acknowledged is with the subscriber before it dies: brokers lose messages too, agents must not."""
        for member in self.members:
            member.proxy.stall(up=False)
        for member in self.members:
            if member.qos > 0:
                member.agent.wait_status(lambda s: s["forward"]["in_flight"] == WINDOW, f"{member} has a full window")
        for member in self.members:
            member.proxy.stall()
        self.wait_all_arrived()
        self.broker.kill()
        wait_until(lambda: not self.subscriber.is_subscribed(), "the subscriber notices")
        for member in self.members:
            member.proxy.refuse()
            member.proxy.cut()
            member.proxy.flow()
        self.broker.start()
        self.subscriber.wait_subscribed()

    def wait_delivers_again(self, member, reconnects):
        """More than was in flight, so that what comes again has come."""
        before = member.agent.wait_status(lambda s: s["broker"]["reconnects"] >= reconnects, f"{member} is back")
        enough = before["forward"]["acked_readings"] + WINDOW * member.config["batch"]["max_readings"]
        member.agent.wait_status(lambda s: s["forward"]["acked_readings"] > enough, f"{member} delivers again")
        self.wait_all_arrived()

    def check_repeats_only_over_a_loss(self, messages, losses):
        for identifier, positions in arrivals(messages).items():
            for first, second in zip(positions, positions[1:]):
                self.assertTrue(any(first < loss <= second for loss in losses),
                                f"{identifier} came twice, and the broker had kept the session")
