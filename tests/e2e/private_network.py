"""Runs a test in a network and a mount namespace of its own, where it may take interfaces down and be the name server."""
import functools
import os
import subprocess
import sys
import unittest

INSIDE = "HOLDFAST_PRIVATE_NETWORK"
UNSHARE = ["unshare", "--net", "--mount"]
HERE = os.path.dirname(os.path.abspath(__file__))
RUN_TESTS = os.path.join(HERE, "..", "support", "run_tests.py")


def ran(*command):
    try:
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0
    except OSError:
        return False


def ip(arguments):
    subprocess.run(["ip", *arguments.split()], check=True, capture_output=True, timeout=30)


def set_name_server(directory, address):
    """For all programs in this namespace; one that does not answer is asked again and again, for half a minute."""
    path = os.path.join(directory, "resolv.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"nameserver {address}\noptions timeout:1 attempts:5\n")
    subprocess.run(["mount", "--bind", path, "/etc/resolv.conf"], check=True, timeout=30)


def in_private_network(method):
    """The test begins with `lo` up and nothing else. Skipped where we may not make namespaces."""
    @functools.wraps(method)
    def run(self):
        if os.environ.get(INSIDE):
            ip("link set lo up")
            return method(self)
        if not ran(*UNSHARE, "true"):
            raise unittest.SkipTest("cannot make a network of our own: not root, or not allowed to")
        inner = subprocess.run([*UNSHARE, sys.executable, RUN_TESTS, HERE, self.id()], env={**os.environ, INSIDE: "1"}, check=False)
        self.assertEqual(inner.returncode, 0, "the test failed in the private network")
        return None
    return run
