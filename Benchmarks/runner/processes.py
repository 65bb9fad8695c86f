"""Starts brokers pinned to a core, runs the load generator, and leaves nothing behind."""

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

READY_SECONDS = 15
STOP_SECONDS = 5


class Failed(Exception):
    """One run came to nothing; the message says why. The other runs go on."""


def free_port():
    """A loopback port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_descriptor_limit(wanted):
    """As many descriptors as allowed, for us and all we start; returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def interrupt(*_):
    """SIGTERM ends the run the way Ctrl-C does."""
    raise KeyboardInterrupt


class Bench:
    """The machine's part: which core is whose, where scratch files go, what runs now."""

    def __init__(self, work, broker_core, load_core):
        work.mkdir(parents=True, exist_ok=True)
        self.directory = Path(tempfile.mkdtemp(prefix="run-", dir=work))
        self.broker_core = broker_core
        self.load_core = load_core
        self.generator = self.directory / "load"
        self.running = []
        self.made = 0

    def __enter__(self):
        signal.signal(signal.SIGTERM, interrupt)
        return self

    def __exit__(self, *_):
        """Stops what still runs and removes the scratch files, whatever ended the measuring."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for process in list(self.running):
            self.stop(process)
        shutil.rmtree(self.directory, ignore_errors=True)

    def build_generator(self, sources):
        files = sorted(str(path) for path in sources.glob("*.c"))
        subprocess.run(["cc", "-O2", "-Wall", "-std=gnu17", "-o", str(self.generator), *files, "-llz4", "-lsqlite3", "-lssl", "-lcrypto"], check=True, timeout=120)

    def scratch(self):
        """A new empty directory."""
        self.made += 1
        path = self.directory / str(self.made)
        path.mkdir()
        return path

    def spawn(self, command, core, log):
        with open(log, "wb") as out:
            process = subprocess.Popen(
                ["taskset", "-c", str(core), *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        self.running.append(process)
        return process

    def stop(self, process):
        """Asks, then insists; only ever the process that was started here."""
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.remove(process)

    @contextlib.contextmanager
    def broker(self, broker, setup, core=None):
        """The broker, started and listening at `setup.port`."""
        setup.port = setup.fixed_port or free_port()
        setup.plain_port = free_port() if setup.plain_too else 0
        setup.data = self.scratch()
        process = self.start_broker(broker, setup, core)
        try:
            yield process
        finally:
            self.stop(process)
            self.remove(setup.data)

    def start_broker(self, broker, setup, core=None):
        log = setup.data / "log"
        process = self.spawn(broker.command(setup), self.broker_core if core is None else core, log)
        try:
            self.wait_until_listening(process, setup.port, broker, log)
        except Failed:
            self.stop(process)
            raise
        return process

    def end_broker(self, process, kill=False):
        if kill:
            process.kill()
            process.wait()
        self.stop(process)

    def start_until_connack(self, broker, setup):
        """(ms to READY=1, ms to the first CONNACK, the process): a client that tries again all the time."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            path = str(setup.data / "notify")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            notified.bind(path)
            notified.settimeout(READY_SECONDS)
            command = broker.command(setup)
            notices = Notices(notified)
            began = time.monotonic()
            process = self.spawn(["env", f"NOTIFY_SOCKET={path}", *command], self.broker_core, setup.data / "log")
            connack = None
            while connack is None and time.monotonic() < began + READY_SECONDS:
                connack = first_connack(setup.port)
            ready = notices.ready()
        if connack is None:
            raise Failed("no CONNACK after the start")
        return (ready - began) * 1000, (connack - began) * 1000, process

    def wait_until_listening(self, process, port, broker, log):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise Failed(f"{broker.name if broker else 'the sink'} ended with {process.returncode}: {last_words(log)}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.01)
        raise Failed(f"{broker.name if broker else 'the sink'} does not listen after {READY_SECONDS} s: {last_words(log)}")

    @contextlib.contextmanager
    def relay(self, upstream_port, listen=0, **options):
        """A byte-counting relay to that port: (the port to connect to, the file of counters)."""
        port, directory = listen or free_port(), self.scratch()
        counters = directory / "counters"
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        process = self.spawn(
            [self.generator, "relay", "--listen", port, "--upstream", upstream_port, "--counters", counters, *words],
            self.load_core, directory / "log")
        try:
            yield port, counters
        finally:
            self.stop(process)

    @contextlib.contextmanager
    def helper(self, subcommand, directory, **options):
        """A server of the generator's on the broker's core: (process, port)."""
        port = free_port()
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        process = self.spawn([self.generator, subcommand, "--listen", port, *words], self.broker_core, directory / "log")
        try:
            self.wait_until_listening(process, port, None, directory / "log")
            yield process, port
        finally:
            self.stop(process)
            self.remove(directory)

    def load(self, subcommand, *words, core=None, timeout=120, **options):
        """Runs the generator; keyword arguments are its options. What it prints, as a dictionary."""
        return self.finish_load(self.start_load(subcommand, *words, core=core, **options), timeout)

    def start_load(self, subcommand, *words, core=None, **options):
        command = ["taskset", "-c", str(self.load_core if core is None else core), str(self.generator), subcommand]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        command += map(str, words)
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True)
        self.running.append(process)
        return process

    def finish_load(self, process, timeout=120):
        try:
            out, error = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"the load did not end in {timeout} s") from None
        finally:
            self.stop(process)
        if process.returncode:
            raise Failed(error.strip() or f"the load ended with {process.returncode}")
        return self.parse(out)

    def wait_for_line(self, process, word):
        """Until the generator has said that word on a line of its own."""
        if process.stdout.readline().strip() != word:
            raise Failed(f"the load ended before it was {word}")

    def parse(self, out):
        return json.loads(out.strip().splitlines()[-1])

    # What the machine says.

    def disk_bytes(self, path):
        """Written to the device under `path`, by everyone, once what is in memory is written too."""
        subprocess.run(["sync", "-f", str(path)], check=True, timeout=120)
        device = os.stat(path).st_dev
        stat = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
        return int(stat.read_text().split()[6]) * 512 if stat.exists() else 0

    def written(self, process):
        """Bytes that the kernel charged to the process."""
        for line in Path(f"/proc/{process.pid}/io").read_text().splitlines():
            if line.startswith("write_bytes:"):
                return int(line.split()[1])
        return 0

    def counters(self, path):
        return struct.unpack("QQ", path.read_bytes()[:16])

    def unused_port(self):
        return free_port()

    def remove(self, directory):
        shutil.rmtree(directory, ignore_errors=True)

    def drop_caches(self):
        """Whether the page cache could be emptied."""
        subprocess.run(["sync"], timeout=120)
        try:
            Path("/proc/sys/vm/drop_caches").write_text("1")
        except OSError:
            return False
        return True


class Notices(threading.Thread):
    """Waits for READY=1 on a socket, and notes when it came."""

    def __init__(self, notified):
        super().__init__(daemon=True)
        self.notified = notified
        self.at = None
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while b"READY=1" not in self.notified.recv(4096):
                pass
            self.at = time.monotonic()

    def ready(self):
        self.join()
        if self.at is None:
            raise Failed("no READY=1 after the start")
        return self.at


def first_connack(port):
    """When CONNACK came; None: nobody answers yet."""
    with socket.socket() as client:
        client.settimeout(READY_SECONDS)
        if client.connect_ex(("127.0.0.1", port)):
            time.sleep(0.0002)
            return None
        client.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04wait")
        return time.monotonic() if client.recv(4) == b"\x20\x02\x00\x00" else None


def last_words(log):
    """The last line a process wrote."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "without a word"
