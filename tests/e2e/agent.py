"""`holdfast run` from the build tree, and the other commands of it."""
import json
import os
import signal
import subprocess
import time

from processes import descendants
from waiting import wait_until

BUILD = os.environ.get("HOLDFAST_BUILD", "")
HOLDFAST = os.path.join(BUILD, "bin", "holdfast")


def to_toml(config):
    """Nested dicts as TOML: enough of it for configurations."""
    lines = []

    def value(item):
        if isinstance(item, dict):
            return "{" + ", ".join(f"{json.dumps(key)} = {value(member)}" for key, member in item.items()) + "}"
        if isinstance(item, list):
            return "[" + ", ".join(map(value, item)) + "]"
        return json.dumps(item, ensure_ascii=False)

    def table(header, members):
        lines.append(header)
        lines.extend(f"{key} = {value(member)}" for key, member in members.items())

    for name, section in config.items():
        if isinstance(section, list):
            for entry in section:
                table(f"[[{name}]]", entry)
        else:
            nested = {key: member for key, member in section.items() if key == "tls"}
            table(f"[{name}]", {key: member for key, member in section.items() if key not in nested})
            for key, member in nested.items():
                table(f"[{name}.{key}]", member)
    return "\n".join(lines) + "\n"


class Agent:
    """One agent's directories, configuration file and process. Its log is kept over restarts."""

    def __init__(self, directory, config):
        self.state_dir = os.path.join(directory, "state")
        self.runtime_dir = os.path.join(directory, "run")
        self.config_file = os.path.join(directory, "holdfast.toml")
        self.log_path = os.path.join(directory, "agent.log")
        os.makedirs(self.state_dir, exist_ok=True)
        os.makedirs(self.runtime_dir, exist_ok=True)
        self.plugin_dir = None  # the build tree's
        self.sensor_root = None  # this machine's
        self.process = None
        self.configure(config)

    def configure(self, config):
        with open(self.config_file, "w", encoding="utf-8") as file:
            file.write(config if isinstance(config, str) else to_toml(config))

    def places(self):
        plugins = ["--plugin-dir", self.plugin_dir] if self.plugin_dir else []
        sensors = ["--sensor-root", self.sensor_root] if self.sensor_root else []
        return ["--config", self.config_file, "--state-dir", self.state_dir, "--runtime-dir", self.runtime_dir, *plugins,
                *sensors]

    def start(self, environment=None):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([HOLDFAST, "run", *self.places()], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env={**os.environ, **(environment or {})})
        return self

    def command(self, name, *arguments, timeout=30):
        return subprocess.run([HOLDFAST, name, *self.places(), *arguments], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=timeout, check=False)

    def status(self):
        """None while the agent does not answer."""
        done = self.command("status", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def wait_status(self, condition, what, timeout=30.0):
        """The first status for which condition(status) holds."""
        latest = None

        def holds():
            nonlocal latest
            if self.process.poll() is not None:
                raise AssertionError(f"the agent ended with {self.process.returncode} while waiting for: {what}")
            latest = self.status() or latest
            return latest if latest and condition(latest) else None

        return wait_until(holds, lambda: f"{what}; last status: {json.dumps(latest)}", timeout, 0.1)

    def wait_connected(self):
        return self.wait_status(lambda s: s["broker"]["state"] == "connected", "connected to the broker")

    def input(self, name):
        return next(entry for entry in self.status()["inputs"] if entry["name"] == name)

    def buffer_stat(self):
        done = self.command("buffer", "stat", "--json")
        if done.returncode != 0:
            raise AssertionError(f"buffer stat failed: {done.stderr}")
        return json.loads(done.stdout)

    def terminate(self, within=10.0):
        """SIGTERM; returns the exit code and how long it took."""
        began = time.monotonic()
        self.process.terminate()
        code = self.process.wait(within)
        return code, time.monotonic() - began

    def kill(self):
        """SIGKILL to the daemon and everything below it, as a power cut would end them all."""
        pids = [self.process.pid, *descendants(self.process.pid)]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(10)
        return pids

    def cleanup(self):
        if self.process and self.process.poll() is None:
            self.kill()

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def buffer_files(self):
        """Size and time of change of each file of the buffer."""
        files = {}
        for entry in os.scandir(self.state_dir):
            if entry.name.startswith("buffer.db"):
                try:
                    info = entry.stat()
                except FileNotFoundError:
                    continue
                files[entry.name] = (info.st_size, info.st_mtime_ns)
        return files

    def buffer_bytes(self):
        """Database and write-ahead log, as `max_size` counts them."""
        return sum(size for name, (size, _) in self.buffer_files().items() if not name.endswith("-shm"))
