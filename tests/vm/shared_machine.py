"""The virtual machine that the tests share: `shared_machine.py start` boots it, with its hardware; `shared_machine.py end` ends it.

ctest does both by its fixtures. It also ends by itself when the process that had it started does.
Exit code: 0 done, 1 failed, 77 this machine can't run it, and why.
"""
import os
import sys

from machine import Machine, MachineError, Missing, make_image

SOURCE = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.path.realpath(os.environ.get("HOLDFAST_BUILD", ""))
IMAGE = os.environ.get("HOLDFAST_VM_CACHE", os.path.join(SOURCE, "build", "vm"))
# Where the built agent lies in it, as an installed one would: root's.
HOLDFAST = "/opt/holdfast/holdfast"


def shared_machine():
    return Machine(os.path.join(BUILD, "vm"), IMAGE)


def boot(machine, **options):
    """From a fresh disk, with the built agent in it."""
    if not os.path.exists(os.path.join(BUILD, "bin", "holdfast")):
        raise MachineError(f"HOLDFAST_BUILD: no agent is built in {BUILD}")
    machine.destroy()
    make_image(IMAGE)
    try:
        machine.start([SOURCE] if BUILD.startswith(SOURCE + "/") else [SOURCE, BUILD], **options)
        machine.run(f"mkdir /opt/holdfast && cd {BUILD}/bin && cp -r holdfast plugin-host plugins /opt/holdfast && "
                    "chown -R root:root /opt/holdfast && chmod -R go-w /opt/holdfast", timeout=300)
    except BaseException:
        machine.destroy()
        raise
    return machine


def start():
    machine = boot(shared_machine())
    try:
        machine.run(f"sh {SOURCE}/tests/vm/hardware.sh", timeout=300)
    except BaseException:
        machine.destroy()
        raise
    return machine


def main(verb):
    if verb == "end":
        machine = shared_machine()
        if not machine.is_running():
            print("SKIP: there is no virtual machine to end")
            return 77
        machine.destroy()
        return 0
    try:
        machine = start()
    except Missing as reason:
        print(f"SKIP: {reason}")
        return 77
    except MachineError as error:
        print(error)
        return 1
    machine.end_with(os.getppid())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
