"""Bounded waits: a condition is polled until it holds or a deadline passes. Nothing here or in the tests just sleeps."""
import time


def wait_until(condition, what, timeout=30.0, interval=0.03):
    """The first true value of condition(); fails after `timeout` seconds, saying what did not come true."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            detail = what() if callable(what) else what
            raise AssertionError(f"did not come true within {timeout:g} s: {detail}")
        time.sleep(interval)
