"""Bytes to the device a message: by the state of the link, the rate and the QoS."""

import contextlib
import time

from .brokers import Setup
from .targets import Section

RATES = (1, 10, 100, 1000)
KINDS = [(rate, qos) for qos in (0, 1) for rate in RATES]


def measure(bench, broker, upstream, seconds, rates_and_qos, state):
    """All kinds at once, each at a node of its own: (rate, qos) -> bytes a message; and the device's part of it all."""
    figures = {}
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(upstream(stack)) if upstream else bench.unused_port()
        nodes = []
        for rate, qos in rates_and_qos:
            setup = Setup(upstream_port=port, kept=True, node=f"node-{rate}-{qos}", durable_bridge=True)
            nodes.append((rate, qos, setup, stack.enter_context(bench.broker(broker, setup))))
        time.sleep(2.5)
        before = {(rate, qos): bench.written(process) for rate, qos, _, process in nodes}
        device = bench.disk_bytes(bench.directory)
        loads = [
            (rate, qos, bench.start_load(
                "pace", port=setup.port, clients=min(rate, 10), rate=rate, qos=qos, size=150, seconds=seconds))
            for rate, qos, setup, _ in nodes
        ]
        sent = {(rate, qos): bench.finish_load(load, seconds + 30)["sent"] for rate, qos, load in loads}
        time.sleep(1.6)
        device = bench.disk_bytes(bench.directory) - device
        total = 0
        for rate, qos, _, process in nodes:
            written = bench.written(process) - before[rate, qos]
            total += written
            figures[rate, qos] = written / max(sent[rate, qos], 1)
        figures["device"] = device / total if total > 65536 else None
        if state == "down":
            figures["drained"] = drain(bench, broker, nodes, port, sent, stack)
    return figures


def drain(bench, broker, nodes, port, sent, stack):
    """The upstream appears at the port that was dead: what emptying the stores writes, a message."""
    if not nodes or not broker.drains:
        return {}
    before = {(rate, qos): bench.written(process) for rate, qos, _, process in nodes}
    stack.enter_context(bench.broker(broker, Setup(receives_batches=True, fixed_port=port), core=bench.load_core))
    time.sleep(5)
    return {
        (rate, qos): (bench.written(process) - before[rate, qos]) / max(sent[rate, qos], 1)
        for rate, qos, _, process in nodes
    }


def wear(bench, roost, peers, seconds):
    def cloud(stack):
        setup = Setup(receives_batches=True)
        stack.enter_context(bench.broker(roost, setup, core=bench.load_core))
        return contextlib.nullcontext(setup.port)

    def flapping(stack):
        setup = Setup(receives_batches=True)
        stack.enter_context(bench.broker(roost, setup, core=bench.load_core))
        port, _ = stack.enter_context(bench.relay(setup.port, up_ms=2000, down_ms=5000))
        return contextlib.nullcontext(port)

    states = [("healthy", cloud), ("up 2 s, down 5 s", flapping), ("down", None)]
    found = {name: measure(bench, roost, upstream, seconds, KINDS, name) for name, upstream in states}
    found["drained"] = found["down"].pop("drained", {})
    rows = [("Roost, link " + name, figures) for name, figures in found.items() if name != "drained"]
    rows.append(("Roost, the drain after it", found["drained"]))
    for peer in peers:
        kinds = [(rate, 1) for rate in RATES if rate <= peer.most_wear_rate]
        rows.append((f"{peer.name}, bridge down", measure(bench, peer, None, seconds, kinds, "")))
    lines = [
        "", "## Wear", "",
        f"Bytes that the process wrote a message of 150 bytes in {seconds} s, by messages a second and QoS, with the defaults "
        "(`settle = \"20ms\"`, `commit = \"1s\"`); each at a node of its own, all at once. Sessions and cursors included. At "
        "low rates a run has few messages, and what a node writes without any weighs more. *Device*: what the device wrote "
        "for each of these bytes: the file system's journal.", "",
        "| | " + " | ".join(f"QoS {qos}, {rate}/s" for rate, qos in KINDS) + " | device |", "|---|" + "---:|" * (len(KINDS) + 1),
    ]
    for name, figures in rows:
        cells = [f"{figures[kind]:,.0f}" if figures.get(kind) is not None else "" for kind in KINDS]
        device = figures.get("device")
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {f'x {device:.2f}' if device else ''} |")
    return Section(lines)
