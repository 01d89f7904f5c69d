"""A disk in memory that remembers each write and flush in their order, so that it can be had again as a power cut would leave it.

The kernel sees it as a file, which this process serves over /dev/fuse (linux/fuse.h); `mount -o loop` makes a disk of it. Requests
are served one after the other: what was answered before a flush came is what the flush makes safe. Takes root.

qemu-storage-daemon with blklogwrites is no way to it: the FUSE export of Debian 12 (7.2) mixes up the data of concurrent writes.
"""
import ctypes
import errno
import os
import struct
import subprocess
import threading
import time

BLOCK = 4096  # what the disk writes whole or not at all
ZEROS = bytes(BLOCK)
FLUSH = None  # in the log, in the place of a block

FORGET, GETATTR, READ, WRITE, FSYNC, INIT, INTERRUPT = 2, 3, 15, 16, 20, 26, 36
NOTHING_TO_SAY = {14: 16, 17: 80, 18: 0, 25: 0, 38: 0}  # OPEN, STATFS, RELEASE, FLUSH, DESTROY: the size of the answer
REQUEST = struct.Struct("=IIQQIIIHH")  # length, opcode, unique, nodeid, uid, gid, pid, ...
INPUT = struct.Struct("=QQI")          # of READ and WRITE: handle, offset, size
WRITE_INPUT_SIZE = 40
LONGEST_WRITE = 128 * 1024
CLONE_NEWNS, MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 0x20000, 2, 4, 0x4000, 0x40000

libc = ctypes.CDLL(None, use_errno=True)


class NoDisk(Exception):
    """This machine doesn't let us make one."""


def call(function, *arguments):
    if function(*arguments) != 0:
        raise NoDisk(f"{function.__name__}: {os.strerror(ctypes.get_errno())}")


def have_own_mounts():
    """What is mounted from now on is seen by this process and its children only, and gone with them."""
    call(libc.unshare, CLONE_NEWNS)
    call(libc.mount, b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)


def ran(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise NoDisk(f"{' '.join(command)}: {done.stderr.strip()}")


def read_blocks(path):
    """Of a file, by number, but those that are zeros."""
    blocks = {}
    with open(path, "rb") as file:
        for number in range(os.fstat(file.fileno()).st_size // BLOCK):
            content = file.read(BLOCK)
            if content != ZEROS:
                blocks[number] = content
    return blocks


def write_blocks(path, size, blocks):
    with open(path, "wb") as file:
        file.truncate(size)
        for number, content in blocks.items():
            os.pwrite(file.fileno(), content, number * BLOCK)


def blocks_of(offset, size):
    return range(offset // BLOCK, -(-(offset + size) // BLOCK))


class RecordedDisk:
    """`log` has a pair of block number and content for each block written, and FLUSH where all before is safe."""

    def __init__(self, directory, image):
        """The content in the beginning is that of the file `image`."""
        self.size = os.path.getsize(image)
        self.first = read_blocks(image)
        self.log = []
        self.times = []  # wall time of each entry of the log
        self._now = dict(self.first)
        self._file = os.path.join(directory, "disk")
        self._requests = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        with open(self._file, "wb"):
            pass
        options = f"fd={self._requests},rootmode=100000,user_id=0,group_id=0".encode()
        call(libc.mount, b"recorded-disk", self._file.encode(), b"fuse", ctypes.c_ulong(MS_NOSUID | MS_NODEV), options)
        self._answers = {INIT: self._init, GETATTR: self._attributes, READ: self._read, WRITE: self._write, FSYNC: self._flush,
                         **{opcode: lambda _, size=size: bytes(size) for opcode, size in NOTHING_TO_SAY.items()}}
        self._server = threading.Thread(target=self._serve, daemon=True)
        self._server.start()
        self.path = os.path.join(directory, "mounted")
        os.makedirs(self.path)

    def mount(self):
        ran("mount", "-o", "loop", self._file, self.path)

    def unmount(self):
        ran("umount", self.path)

    def close(self):
        ran("umount", "-l", self._file)
        self._server.join(10)

    @property
    def position(self):
        """In the log: what happened so far has a lower index."""
        return len(self.log)

    def _serve(self):
        try:
            while True:
                self._answer(os.read(self._requests, LONGEST_WRITE + BLOCK))
        except OSError as error:
            if error.errno != errno.ENODEV:  # unmounted
                raise
        finally:
            os.close(self._requests)  # so that nobody waits for ever, whatever happened

    def _answer(self, request):
        _, opcode, unique, *_ = REQUEST.unpack_from(request)
        if opcode in (FORGET, INTERRUPT):
            return
        answer = self._answers.get(opcode)
        code = 0 if answer else -errno.ENOSYS
        body = answer(request[REQUEST.size:]) if answer else b""
        os.write(self._requests, struct.pack("=IiQ", 16 + len(body), code, unique) + body)

    @staticmethod
    def _init(_):
        major, minor, big_writes, time_granularity_ns = 7, 31, 1 << 5, 1
        return struct.pack("=IIIIHHII36x", major, minor, 0, big_writes, 0, 0, LONGEST_WRITE, time_granularity_ns)

    def _attributes(self, _):
        valid_s, inode, mode, links = 1 << 30, 1, 0o100600, 1
        return struct.pack("=QIIQQQ36xIIIIIII", valid_s, 0, 0, inode, self.size, self.size // 512, mode, links, 0, 0, 0, BLOCK, 0)

    def _read(self, body):
        _, offset, size = INPUT.unpack_from(body)
        content = b"".join(self._now.get(number, ZEROS) for number in blocks_of(offset, size))
        return content[offset % BLOCK:][:size]

    def _write(self, body):
        _, offset, size = INPUT.unpack_from(body)
        data = body[WRITE_INPUT_SIZE:]
        for number in blocks_of(offset, size):
            start = number * BLOCK
            begin, end = max(offset, start), min(offset + size, start + BLOCK)
            old = self._now.get(number, ZEROS)
            self._now[number] = old[:begin - start] + data[begin - offset:end - offset] + old[end - start:]
            self._remember((number, self._now[number]))
        return struct.pack("=II", size, 0)

    def _flush(self, _):
        self._remember(FLUSH)
        return b""

    def _remember(self, entry):
        self.times.append(time.time())
        self.log.append(entry)
