"""A Debian 12 gateway in QEMU: started, commanded, cut off its power, ended.

Its directory holds the disk (what differs from the image's), the sockets and the console's log. Directories of this machine
are shared with it read-only, at the same paths. Nothing in it reaches a network, but for what a test forwards to itself.
"""
import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from guest_agent import AgentError, GuestAgent

HERE = os.path.dirname(os.path.abspath(__file__))
QEMU = "qemu-system-x86_64"
# Slow where QEMU has to translate each instruction, and slower when others use the machine.
BOOT_TIMEOUT = 600.0
OUTSIDE = "10.0.2.100"


class Missing(Exception):
    """This machine can't run the virtual one: why."""


class MachineError(Exception):
    """The virtual machine did not do what it should."""


def accelerators():
    """KVM where it is real. A nested one without these flags can't run a stock kernel, though its device is there."""
    if os.access("/dev/kvm", os.R_OK | os.W_OK):
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            if re.search(r"^flags\s*:.*\b(vmx|svm)\b", file.read(), re.MULTILINE):
                return ["-accel", "kvm", "-cpu", "host"]
    # A processor without AVX: the translator is faster with SSE.
    return ["-accel", "tcg,thread=multi,tb-size=256", "-cpu", "Westmere"]


def make_image(directory):
    """Makes sure that the image is there. Raises Missing with the reason where it can't be made here."""
    for tool in (QEMU, "qemu-img"):
        if not shutil.which(tool):
            raise Missing(f"{tool} is missing (.ci/install vm)")
    done = subprocess.run([os.path.join(HERE, "make-image"), directory], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    if done.returncode == 77:
        raise Missing(done.stdout.rsplit("SKIP: ", 1)[-1].strip())
    if done.returncode != 0:
        raise MachineError(f"make-image: {done.stdout}{done.stderr}")
    return directory


class Machine:
    def __init__(self, directory, image):
        self.directory = directory
        self.image = image
        self.agent = GuestAgent(self.file("agent"), self.is_running)

    def file(self, name):
        return os.path.join(self.directory, name)

    # --- power

    def pid(self):
        """The QEMU of this directory, 0 when there is none: known by its command line, so that no other is ever signalled."""
        try:
            with open(self.file("pid"), encoding="ascii") as file:
                pid = int(file.read())
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read()
        except (OSError, ValueError):
            return 0
        return pid if self.file("pid").encode() in command else 0

    def is_running(self):
        return self.pid() != 0

    def start(self, shared=(), ports=(), forwards=(), clock=None):
        """Boots it from its disk, or from a fresh one; the disk of a machine that ran before is kept.

        What is written to /dev/virtio-ports/NAME in it is added to the file NAME of its directory out here at once.
        Of (PORT, OUT) in `forwards`, connections to its OUTSIDE:PORT come to this machine's port OUT on loopback; there is no
        other way out, and none without a connect(). `clock` is what its clock shows when it is switched on."""
        os.makedirs(self.directory, exist_ok=True)
        disk = self.file("disk.qcow2")
        if not os.path.exists(disk):
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b",
                            os.path.join(self.image, "disk.qcow2"), disk], check=True)
        # A unix socket's path has at most 107 bytes, and a build directory may be deep.
        self._remove_socket()
        os.symlink(os.path.join(tempfile.mkdtemp(prefix="holdfast-vm-"), "agent"), self.file("agent"))
        command = self._command(disk, shared) + self._ports(ports) + self._network(forwards)
        if clock:
            command += ["-rtc", f"base={clock}"]
        with open(self.file("qemu.log"), "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        while not self.is_running():
            if process.poll() is not None:
                raise MachineError(f"{QEMU} did not start: {self.log('qemu.log')}")
            time.sleep(0.02)
        self._wait_for_boot()
        for number, directory in enumerate(shared):
            self.run(f"mkdir -p '{directory}' && mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose "
                     f"shared{number} '{directory}'")

    def _remove_socket(self):
        link = self.file("agent")
        if os.path.islink(link):
            with contextlib.suppress(FileNotFoundError):  # another process destroys it, too
                shutil.rmtree(os.path.dirname(os.readlink(link)), ignore_errors=True)
                os.unlink(link)

    def _command(self, disk, shared):
        command = [QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", *accelerators(),
                   "-m", "1024", "-smp", "2", "-pidfile", self.file("pid"),
                   "-kernel", os.path.join(self.image, "vmlinuz"), "-initrd", os.path.join(self.image, "initrd.img"),
                   "-append", "root=/dev/vda rw console=ttyS0 quiet panic=5 mitigations=off tsc=reliable",
                   "-drive", f"if=none,id=disk,file={disk},format=qcow2", "-device", "virtio-blk-pci,drive=disk",
                   "-serial", f"file:{self.file('console.log')}",
                   "-device", "virtio-rng-pci",
                   "-device", "virtio-serial-pci",
                   "-chardev", f"socket,id=agent,path={os.readlink(self.file('agent'))},server=on,wait=off",
                   "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]
        for number, directory in enumerate(shared):
            command += ["-virtfs", f"local,path={directory},mount_tag=shared{number},security_model=none,readonly=on,"
                                   "multidevs=remap"]
        return command

    def _ports(self, names):
        return [word for name in names for word in
                ("-chardev", f"file,id={name},path={self.file(name)},append=on",
                 "-device", f"virtserialport,chardev={name},name={name}")]

    @staticmethod
    def _network(forwards):
        if not forwards:
            return []
        ways = ",".join(f"guestfwd=tcp:{OUTSIDE}:{port}-cmd:{sys.executable} {os.path.join(HERE, 'relay.py')} {out}"
                        for port, out in forwards)
        return ["-netdev", f"user,id=network,restrict=on,{ways}", "-device", "virtio-net-pci,netdev=network"]

    def connect(self, *names):
        """The cable goes in; OUTSIDE has these names."""
        self.run(f"grep -q {OUTSIDE} /etc/hosts || echo {OUTSIDE} {' '.join(names)} >>/etc/hosts\n"
                 "device=$(basename /sys/class/net/e*) && ip address replace 10.0.2.15/24 dev $device && ip link set $device up")

    def _wait_for_boot(self):
        self.agent.connect(BOOT_TIMEOUT).close()
        state = self.command("until systemctl list-jobs >/dev/null 2>&1; do sleep 0.1; done; systemctl is-system-running --wait",
                             BOOT_TIMEOUT).out.strip()
        if state != "running":
            failed = self.command("systemctl --failed --no-legend --plain").out
            raise MachineError(f"systemd in the virtual machine is '{state}': {failed}{self.log('console.log')}")

    def log(self, name):
        try:
            with open(self.file(name), encoding="utf-8", errors="replace") as file:
                return "\n" + file.read()[-2000:]
        except OSError:
            return ""

    def cut_power(self):
        """What was not written to its disk is lost."""
        pid = self.pid()
        if not pid:
            return
        handle = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], 30)
        finally:
            os.close(handle)

    def destroy(self):
        self.cut_power()
        self._remove_socket()
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- commands

    def command(self, script, timeout=60.0):
        """Runs a shell script in it, as root; whatever comes of it."""
        return self.agent.run(["/bin/sh", "-c", script], timeout)

    def run(self, script, timeout=60.0):
        """Runs a shell script in it that has to succeed; what it printed."""
        done = self.command(script, timeout)
        if done.code != 0:
            raise MachineError(f"`{script}` ended with {done.code}: {done.err[-2000:]}{done.out[-2000:]}")
        return done.out

    def write(self, path, content):
        self.agent.write(path, content.encode())

    def read(self, path):
        return self.agent.read(path).decode(errors="replace")

    # --- life

    def end_with(self, pid):
        """Another process sees to it that the machine ends when that one does."""
        subprocess.Popen([sys.executable, os.path.join(HERE, "machine.py"), self.directory, str(pid)], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def guard(directory, pid):
    machine = Machine(directory, None)
    try:
        handles = [os.pidfd_open(pid), os.pidfd_open(machine.pid())]
        select.select(handles, [], [])
    except OSError:
        pass  # one of them is gone already
    machine.destroy()


if __name__ == "__main__":
    guard(sys.argv[1], int(sys.argv[2]))
