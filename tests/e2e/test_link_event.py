"""A link that comes up is a reason to try at once."""
from broker import free_port
from case import EndToEnd, needs
from private_network import in_private_network, ip

WAIT = "1h"  # without the event the first attempt would come at a random time within it


class LinkEvent(EndToEnd):
    @needs(timeout=60)
    @in_private_network
    def test_link_that_comes_up_brings_the_next_attempt_forward(self):
        ip("link add gw0 type veth peer name gw1")
        ip("addr add 10.9.0.1/24 dev gw0")
        ip("link set gw1 up")
        port = free_port()
        self.make_broker(f"listener {port}", tls=False)
        agent = self.make_agent(self.config([f"mqtt://10.9.0.1:{port}"], self.simulator(), backoff_initial=WAIT,
                                            backoff_max=WAIT))
        status = agent.wait_status(lambda s: s["buffer"]["readings"] > 10, "readings")
        self.assertEqual(status["broker"]["state"], "waiting")
        ip("link set gw0 up")
        agent.wait_status(lambda s: s["broker"]["state"] == "connected", "connected", timeout=10)
