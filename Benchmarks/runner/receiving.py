"""Messages taken out of batches: by a roostd with [ingest], and by `roost ingest` beside mosquitto."""

import contextlib
import statistics
import time

from .brokers import Setup
from .processes import READY_SECONDS, Failed, last_words
from .targets import Section

BATCHES = (10, 100, 1000)
NODES, WINDOW, SIZE = 10, 4, 150


@contextlib.contextmanager
def ingest(bench, cli, port, qos):
    """`roost ingest`, subscribed at the broker on that port: (process, its directory)."""
    state = bench.scratch()
    log = state / "log"
    command = [cli, "ingest", "--url", f"mqtt://127.0.0.1:{port}", "--state", state / "state", "--qos", qos]
    process = bench.spawn(command, bench.broker_core, log)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while "is connected" not in log.read_text(errors="replace"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"roost ingest did not connect: {last_words(log)}")
            time.sleep(0.01)
        time.sleep(0.2)  # for SUBACK
        yield process, state
    finally:
        bench.stop(process)
        bench.remove(state)


def receiver(bench, roost, messages, seconds):
    """Batches into a roostd, and one subscriber who gets every message."""
    setup = Setup(receives_batches=True)
    with bench.broker(roost, setup) as process:
        return bench.load(
            "batches", port=setup.port, pid=process.pid, disk=setup.data, clients=NODES, window=WINDOW, messages=messages,
            size=SIZE, qos=1, topology="out", seconds=seconds)


def beside(bench, cli, broker, qos, messages, seconds):
    """Batches into mosquitto, through `roost ingest` back into it, and to one subscriber."""
    setup = Setup()
    with bench.broker(broker, setup, core=bench.load_core), ingest(bench, cli, setup.port, qos) as (process, state):
        return bench.load(
            "batches", port=setup.port, pid=process.pid, disk=state, clients=NODES, window=WINDOW, messages=messages,
            size=SIZE, qos=1, topology="out", seconds=seconds)


def plain(bench, broker, seconds):
    """As many publishers of single messages, and one subscriber."""
    setup = Setup()
    with bench.broker(broker, setup) as process:
        return bench.load(
            "flow", port=setup.port, pid=process.pid, topology="in", clients=NODES, burst=10, qos=1, json=1, size=SIZE, warm=0.2,
            seconds=seconds)


def receiving(bench, roost, cli, peer, rounds, seconds):
    lines = [
        "", "## Taking batches in", "",
        f"{NODES} nodes with {WINDOW} batches unacknowledged each, JSON of {SIZE} bytes; one subscriber at QoS 1 gets every message. "
        "Beside a broker, that has the generator's core and bounds the rate.", "",
        "| | messages/s | CPU a message, µs | disk bytes a message |", "|---|---:|---:|---:|",
    ]

    def row(title, run, disk=True):
        figures = [run() for _ in range(rounds)]
        rate, cpu = (statistics.median(one[key] for one in figures) for key in ("rate", "cpu_us"))
        written = f"{statistics.median(one['disk'] for one in figures):.1f}" if disk else ""
        lines.append(f"| {title} | {rate:,.0f} | {cpu:.2f} | {written} |")

    for messages in BATCHES:
        row(f"roostd with `[ingest]`, {messages} a batch", lambda: receiver(bench, roost, messages, seconds))
    if peer:
        for qos in (1, 2):
            row(f"`roost ingest --qos {qos}` beside {peer.name}, 100 a batch",
                lambda: beside(bench, cli, peer, qos, 100, seconds))
        row(f"{peer.name}: single messages in and out, QoS 1", lambda: plain(bench, peer, seconds), disk=False)
    return Section(lines)
