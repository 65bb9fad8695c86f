"""What is measured: for each measure the load, and the rows its figures fill in the table."""

import dataclasses
from typing import Callable

from .brokers import Roost, Setup
from .processes import free_port

LOWER, HIGHER = "lower", "higher"


@dataclasses.dataclass
class Row:
    """One line of the table."""

    title: str
    key: str                # of the figure
    unit: str
    better: str
    peer_key: str = ""      # of the peer's figure, where it has another name


@dataclasses.dataclass
class Measure:
    name: str
    title: str
    run: Callable           # (bench, broker, pace) -> figures
    rows: list
    rounds: int = 3
    baseline: Callable = None   # (bench, pace) -> figures of doing the same without a broker


@dataclasses.dataclass
class Pace:
    """How much each run loads a broker."""

    seconds: float
    connections: int
    foreign: object         # the upstream of Roost's `each`: a broker that isn't Roost; None: Roost all the same


CPU_ROWS = [
    Row("broker CPU a delivered message", "cpu_us", "µs", LOWER),
    Row("delivered", "rate", "/s", HIGHER),
]
LATENCY_ROWS = [
    Row("latency p50", "p50_us", "µs", LOWER),
    Row("latency p99", "p99_us", "µs", LOWER),
]


def flow(tls=False, **options):
    """Clients at one broker."""

    def run(bench, broker, pace):
        setup = Setup(tls=tls)
        with bench.broker(broker, setup) as process:
            return bench.load(
                "flow", port=setup.port, pid=process.pid, tls=int(tls), warm=0.3, seconds=pace.seconds, **options)

    return run


def away(window):
    """A subscriber away, 64 publishers, `window` messages of each outstanding."""

    def run(bench, broker, pace):
        setup = Setup(kept=True)
        with bench.broker(broker, setup) as process:
            return bench.load(
                "away", port=setup.port, pid=process.pid, publishers=64, window=window, size=150,
                seconds=pace.seconds, messages=300_000, disk=setup.data)

    return run


def plain_file(group):
    """A plain file, one write and fdatasync for each group, on the broker's core and disk."""

    def run(bench, pace):
        return bench.load(
            "file", core=bench.broker_core, disk=bench.directory / "plain", group=group, size=150,
            seconds=pace.seconds / 2)

    return run


def uplink(hundred):
    """Ten sensors at a node whose link to the upstream passes through a counting relay."""
    if hundred:
        load = {"topology": "in", "clients": 10, "burst": 10, "lockstep": 1}
    else:
        load = {"topology": "in", "clients": 20, "rate": 2000}

    def one(bench, node, upstream, mode, pace):
        far = Setup(receives_batches=True)
        with bench.broker(upstream, far, core=bench.load_core), bench.relay(far.port) as (port, counters):
            near = Setup(upstream_port=port, mode=mode, hundred=hundred, kept=False)
            with bench.broker(node, near) as process:
                return bench.load(
                    "flow", port=near.port, subscribe_port=far.port, pid=process.pid, counters=counters, qos=1,
                    json=1, size=150, probe=1, seconds=pace.seconds, **load)

    def run(bench, broker, pace):
        if not isinstance(broker, Roost):
            return one(bench, broker, broker, "", pace) if broker.can_bridge() else {}
        figures = {}
        for mode, upstream in (("batch", broker), ("each", pace.foreign or broker)):
            figures.update({f"{mode}_{key}": value for key, value in one(bench, broker, upstream, mode, pace).items()})
        return figures

    return run


def uplink_rows():
    """Both of Roost's modes against the same bridge."""
    return [
        Row(f"{title}, `{mode}`", f"{mode}_{key}", unit, better, key)
        for mode in ("batch", "each")
        for title, key, unit, better in (
            ("bytes on the wire a message", "wire", "B", LOWER),
            ("of them node to upstream", "wire_up", "B", LOWER),
            ("node's CPU a message", "cpu_us", "µs", LOWER),
        )
    ]


def idle(tls=False, share=1):
    """Silent connections, one of `share` of the pace's."""

    def run(bench, broker, pace):
        setup = Setup(tls=tls)
        with bench.broker(broker, setup) as process:
            figures = bench.load(
                "idle", port=setup.port, pid=process.pid, clients=pace.connections // share, tls=int(tls))
        return {**figures, "rss_mib": figures["rss_kib"] / 1024, "anonymous_mib": figures["anonymous_kib"] / 1024}

    return run


def handshakes(bench, broker, pace):
    setup = Setup(tls=True)
    with bench.broker(broker, setup) as process:
        return bench.load("handshakes", port=setup.port, pid=process.pid, seconds=pace.seconds, tls=1)


def start(bench, broker, pace):
    """The second start in a data directory: the first one makes its files."""
    setup = Setup(port=free_port(), data=bench.scratch())
    command = broker.command(setup)
    times = [
        bench.load("start", "--core", bench.broker_core, "--", *command, port=setup.port)["start_ms"]
        for _ in range(2)
    ]
    return {"start_ms": times[1]}


MEASURES = [
    Measure("qos0", "QoS 0, 100 pairs, 64 B, bursts of 20", flow(qos=0, burst=20), CPU_ROWS, 5),
    Measure("qos1", "QoS 1, 100 pairs, 64 B, bursts of 20", flow(qos=1, burst=20), CPU_ROWS, 5),
    Measure("qos2", "QoS 2, 100 pairs, 64 B, bursts of 20", flow(qos=2, burst=20), CPU_ROWS, 5),
    Measure("fan-in", "fan-in 100 to 1, QoS 0, 64 B, bursts of 20", flow(topology="in", burst=20), CPU_ROWS),
    Measure("fan-out", "fan-out 1 to 100, QoS 0, 64 B, bursts of 20", flow(topology="out", burst=20), CPU_ROWS),
    Measure("large", "QoS 0, 100 pairs, 8 KiB, bursts of 4", flow(size=8192, burst=4), CPU_ROWS),
    Measure("latency0", "QoS 0, 100 pairs, 64 B, 5,000/s", flow(qos=0, rate=5000), LATENCY_ROWS, 5),
    Measure("latency1", "QoS 1, 100 pairs, 64 B, 5,000/s", flow(qos=1, rate=5000), LATENCY_ROWS, 5),
    *(
        Measure(
            f"away{64 * window}", f"subscriber away, QoS 1, 150 B, {64 * window} outstanding", away(window),
            [
                Row("acknowledged", "ack_rate", "/s", HIGHER),
                Row("CPU an acknowledged message", "store_us", "µs", LOWER),
                Row("disk bytes a message (device)", "disk_bytes", "B", LOWER),
                Row("disk bytes a message (process)", "process_bytes", "B", LOWER),
                Row("drain", "drain_rate", "/s", HIGHER),
                Row("CPU a drained message", "drain_us", "µs", LOWER),
            ],
            baseline=plain_file(64 * window))
        for window in (1, 4)
    ),
    Measure("uplink-100", "uplink, 150 B JSON, QoS 1, 100 messages at a time", uplink(True), uplink_rows()),
    Measure("uplink-flow", "uplink, 150 B JSON, QoS 1, 2,000/s", uplink(False), uplink_rows()),
    Measure(
        "idle", "memory", idle(),
        [
            Row("RSS after start", "rss_mib", "MiB", LOWER),
            Row("anonymous part", "anonymous_mib", "MiB", LOWER),
            Row("RSS an idle connection", "connection_bytes", "B", LOWER),
            Row("anonymous part", "connection_anonymous_bytes", "B", LOWER),
        ]),
    Measure("tls0", "TLS 1.3, QoS 0, 100 pairs, 64 B, bursts of 20", flow(qos=0, burst=20, tls=True), CPU_ROWS),
    Measure("tls1", "TLS 1.3, QoS 1, 100 pairs, 64 B, bursts of 20", flow(qos=1, burst=20, tls=True), CPU_ROWS),
    Measure(
        "tls-hello", "TLS 1.3, full handshakes (ECDSA, P-256) with CONNECT and DISCONNECT", handshakes,
        [
            Row("connections", "rate", "/s", HIGHER),
            Row("broker CPU a connection", "cpu_us", "µs", LOWER),
        ]),
    Measure(
        "tls-idle", "memory over TLS", idle(tls=True, share=5),
        [
            Row("RSS an idle connection", "connection_bytes", "B", LOWER),
            Row("anonymous part", "connection_anonymous_bytes", "B", LOWER),
        ]),
    Measure("start", "start", start, [Row("start to first CONNACK", "start_ms", "ms", LOWER)], 5),
]
