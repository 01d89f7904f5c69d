"""A file system of its own for a test: small, so that it can be filled for real. Takes root."""
import errno
import os
import subprocess


class NoMount(Exception):
    """This machine doesn't let us mount."""


class SmallFileSystem:
    """ext4 in a file, or memory where there is no loop device."""

    def __init__(self, directory, size):
        self.path = os.path.join(directory, "small")
        os.makedirs(self.path)
        image = os.path.join(directory, "small.img")
        with open(image, "wb") as file:
            file.truncate(size)
        if not (self._ran("mkfs.ext4", "-q", "-F", "-m", "0", image) and self._ran("mount", "-o", "loop", image, self.path)
                or self._ran("mount", "-t", "tmpfs", "-o", f"size={size}", "holdfast-test", self.path)):
            raise NoMount("cannot mount a small file system: not root, or not allowed to")

    @staticmethod
    def _ran(*command):
        try:
            return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
        except OSError:
            return False

    def free_bytes(self):
        info = os.statvfs(self.path)
        return info.f_bavail * info.f_frsize

    def fill(self, leave=0):
        """Takes all room but that much; free() gives it back."""
        chunk = bytes(64 * 1024)
        with open(os.path.join(self.path, f"filler{leave}"), "wb", buffering=0) as filler:
            try:
                while self.free_bytes() > leave:
                    filler.write(chunk[:max(4096, min(len(chunk), self.free_bytes() - leave))])
                    os.fsync(filler.fileno())
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self):
        for name in os.listdir(self.path):
            if name.startswith("filler"):
                os.unlink(os.path.join(self.path, name))

    def unmount(self):
        self._ran("umount", self.path) or self._ran("umount", "-l", self.path)
