"""Bytes on the wire a message, beside mosquitto's bridge and beside what compressing the whole stream could reach."""

import shutil
import statistics
import subprocess

from .brokers import Setup
from .targets import Section, Target

BATCHES = (10, 100, 1000)
RATES = (100, 500, 2000, 10000)


def cpu(figures):
    return f"{figures['cpu_us']:.1f}" if "cpu_us" in figures else ""


def through(bench, node, upstream, near, seconds, capture=None, **load):
    far = Setup(receives_batches=True)
    more = {"capture": capture} if capture else {}
    with bench.broker(upstream, far, core=bench.load_core), bench.relay(far.port, **more) as (port, counters):
        near.upstream_port = port
        with bench.broker(node, near) as process:
            return bench.load(
                "flow", port=near.port, subscribe_port=far.port, pid=process.pid, counters=counters, qos=1, json=1, size=150,
                probe=1, seconds=seconds, topology="in", **load)


def limit(path, messages, command):
    """Bytes a message of the whole stream through a compressor."""
    if not messages or not shutil.which(command[0]):
        return None
    packed = subprocess.run([*command, str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120).stdout
    return len(packed) / messages


def drained(bench, roost, seconds):
    """Stored while the link was down, then sent: bytes a message, and both rates."""
    port = bench.unused_port()
    near = Setup(upstream_port=port, kept=True, inflight=1000)
    with bench.broker(roost, near) as process:
        stored = bench.load(
            "away", port=near.port, pid=process.pid, publishers=8, window=32, size=150, seconds=seconds, messages=400_000,
            disk=near.data, drain=0, session=0, settle_ms=0)
        far = Setup(receives_batches=True)
        with bench.broker(roost, far, core=bench.load_core):
            collector = bench.start_load(
                "collect", core=bench.load_core, port=far.port, qos=0, messages=stored["acknowledged"], seconds=8)
            bench.wait_for_line(collector, "ready")
            with bench.relay(far.port, listen=port) as (_, counters):
                arrived = bench.finish_load(collector, 90)
                up, down = bench.counters(counters)
    count = max(arrived["arrived"], 1)
    return {"wire": (up + down) / count, "stored": stored["ack_rate"], "drained": arrived["rate"],
            "lost": stored["acknowledged"] - arrived["arrived"]}


def wire(bench, roost, peer, rounds, seconds):
    lines, targets = [], []
    capture = bench.directory / "bridge"
    bridge, best = None, {}
    if peer:
        figures = through(bench, peer, peer, Setup(), seconds, capture=capture, clients=10, burst=10, lockstep=1)
        bridge = figures["wire"]
        best = {"`lz4 -9`": limit(capture, figures["delivered"], ["lz4", "-9", "-c"]),
                "`zstd -19`": limit(capture, figures["delivered"], ["zstd", "-19", "-c", "-q"])}
    bridge_text = f"{bridge:.1f} B" if bridge else "not measured"
    lines += [
        "", "## The wire", "",
        "TCP payload a message, both directions: 150 bytes JSON with changing values, QoS 1, topics of 16 bytes. "
        f"mosquitto's bridge: {bridge_text}. " + "; ".join(
            f"its whole stream through {name}: {value:.1f} B" for name, value in best.items() if value) + ".", "",
        "| Roost, `batch` | B a message | ÷ bridge | of the node's CPU, µs |", "|---|---:|---:|---:|",
    ]

    def row(title, figures):
        ratio = f"**{figures['wire'] / bridge:.3f}**" if bridge else "n/a"
        lines.append(f"| {title} | {figures['wire']:.1f} | {ratio} | {cpu(figures)} |")
        return figures["wire"] / bridge if bridge else None

    def middle(run):
        runs = [run() for _ in range(rounds)]
        return {key: statistics.median(one[key] for one in runs) for key in runs[0]}

    for size in BATCHES:
        figures = middle(lambda: through(
            bench, roost, roost, Setup(hundred=True), seconds, clients=10, burst=size // 10, lockstep=1))
        ratio = row(f"{size} a batch, live (`delay = \"60ms\"`, `eager = false`)", figures)
        if size == 100:
            targets.append(Target("wire, live at 100 a batch ÷ bridge", "≤ 0.4", ratio, 0.4, True))
    for rate in RATES:
        figures = middle(lambda: through(bench, roost, roost, Setup(), seconds, clients=20, rate=rate))
        ratio = row(f"{rate:,}/s, defaults", figures)
        if rate == 2000:
            targets.append(Target("wire, live at 2,000/s with the defaults ÷ bridge", "≤ 0.4", ratio, 0.4, True))
    backlog = drained(bench, roost, seconds)
    ratio = row("backlog after the link was down", backlog)
    targets.append(Target("wire, backlog ÷ bridge", "≤ 0.25", ratio, 0.25, True))
    targets.append(
        Target("drain to a Roost cloud ÷ storing (8 x 32)", "≥ 1", backlog["drained"] / backlog["stored"], 1))
    lines += ["", f"The backlog was stored at {backlog['stored']:,.0f}/s and sent at {backlog['drained']:,.0f}/s, both nodes' "
              f"disks being one; {backlog['lost']:,} lost."]
    return Section(lines, targets)
