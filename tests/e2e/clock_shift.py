"""Another wall clock for one process: clock_shift.cpp is preloaded into it."""
import os
import struct
import time

from agent import BUILD

LIBRARY = os.path.join(BUILD, "tests", "libclock_shift.so")


class ClockShift:
    def __init__(self, directory):
        self._file = os.path.join(directory, "clock-shift")
        self.environment = {"LD_PRELOAD": LIBRARY, "HOLDFAST_CLOCK_SHIFT": self._file}
        self.set(time.time())

    def set(self, wall_s):
        """The clock says so from now on, and goes on from there."""
        with open(self._file, "r+b" if os.path.exists(self._file) else "wb") as file:
            file.write(struct.pack("=q", int(wall_s - time.time())))
