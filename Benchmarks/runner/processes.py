"""Starts brokers pinned to a core, runs the load generator, and leaves nothing behind."""

import contextlib
import json
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
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
        subprocess.run(["cc", "-O2", "-Wall", "-std=gnu17", "-o", str(self.generator), *files, "-llz4"], check=True, timeout=120)

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
        setup.port = free_port()
        setup.data = self.scratch()
        log = setup.data / "log"
        process = self.spawn(broker.command(setup), self.broker_core if core is None else core, log)
        try:
            self.wait_until_listening(process, setup.port, broker, log)
            yield process
        finally:
            self.stop(process)
            shutil.rmtree(setup.data, ignore_errors=True)

    def wait_until_listening(self, process, port, broker, log):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise Failed(f"{broker.name} ended with {process.returncode}: {last_words(log)}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.01)
        raise Failed(f"{broker.name} does not listen after {READY_SECONDS} s: {last_words(log)}")

    @contextlib.contextmanager
    def relay(self, upstream_port):
        """A byte-counting relay to that port: (the port to connect to, the file of counters)."""
        port, directory = free_port(), self.scratch()
        counters = directory / "counters"
        process = self.spawn(
            [self.generator, "relay", "--listen", port, "--upstream", upstream_port, "--counters", counters],
            self.load_core, directory / "log")
        try:
            yield port, counters
        finally:
            self.stop(process)

    def load(self, subcommand, *words, core=None, timeout=120, **options):
        """Runs the generator; keyword arguments are its options. What it prints, as a dictionary."""
        command = ["taskset", "-c", str(self.load_core if core is None else core), str(self.generator), subcommand]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        command += map(str, words)
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True)
        self.running.append(process)
        try:
            out, error = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"the load did not end in {timeout} s") from None
        finally:
            self.stop(process)
        if process.returncode:
            raise Failed(error.strip() or f"the load ended with {process.returncode}")
        return json.loads(out)


def last_words(log):
    """The last line a process wrote."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "without a word"
