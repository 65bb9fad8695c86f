"""What others feel while a broker is attacked, and what the attack costs it: a client's latency and the broker's memory."""

import contextlib
import statistics
import subprocess
import sys
from pathlib import Path

from .brokers import Mosquitto, Roost, Setup
from .processes import Failed
from .report import number, ratio
from .targets import Section, Target

HERE = Path(__file__).resolve().parent.parent
RATE, CLIENTS = 500, 10

# (name of the attack, what it is, over TLS, over WebSocket, what Roost's limits allow it, MiB)
ATTACKS = [
    ("slowloris", "1,000 clients, a byte of CONNECT in half a second", "", 16),
    ("slowloris_tls", "the same in the ClientHello", "tls", 48),
    ("slowloris_websocket", "the same in the HTTP request", "websocket", 16),
    ("held", "9,000 connections of one address that say CONNECT", "", 32),
    ("large_connects", "CONNECTs of 1 MiB, 20/s", "", 16),
    ("no_release", "50 publishers at QoS 2 without a PUBREL", "", 16),
    ("stalled", "50 subscribers that don't read, 100 publishers, 2 MiB/s", "", 50 * 4 + 32),
    ("subscribe_flood", "10 clients, 1,000 new filters a second each", "", 16),
    ("wildcard_storm", "892 filters of one client match every message", "", 16),
    ("retained_flood", "2,000 new retained topics a second", "", 32),
]


def memory(process):
    """The process's memory that isn't a file's, MiB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0


@contextlib.contextmanager
def attacked(bench, kind, port, seconds):
    """The attack is under way."""
    # Only when nobody else wants the core: what is measured is the broker, and not who of the two comes first.
    command = ["taskset", "-c", str(bench.broker_core), "chrt", "--idle", "0", sys.executable, "-m", "runner.attacker", kind,
               str(port), str(seconds)]
    process = subprocess.Popen(
        command, cwd=HERE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True)
    bench.running.append(process)
    try:
        if process.stdout.readline().strip() != "started":
            raise Failed(f"{kind} did not start: {process.stderr.read().strip()[-300:]}")
        yield process
    finally:
        bench.stop(process)


def felt(bench, port, process, seconds):
    """Latency of ten pairs at QoS 1, one message every 2 ms."""
    return bench.load(
        "flow", port=port, pid=process.pid, qos=1, rate=RATE, clients=CLIENTS, warm=0.2, seconds=seconds, timeout=60)


def one(bench, broker, kind, over, seconds):
    setup = Setup(tls=over == "tls", websocket=over == "websocket", plain_too=bool(over))
    with bench.broker(broker, setup) as process:
        calm_port = setup.plain_port or setup.port
        quiet = felt(bench, calm_port, process, seconds)
        before = memory(process)
        with attacked(bench, kind, setup.port, seconds + 3):
            during = felt(bench, calm_port, process, seconds)
            after = memory(process)
        return {"quiet": quiet["p99_us"], "during": during["p99_us"], "lost": during["lost"], "grown": after - before}


def attacks(bench, roost, peer, rounds, seconds):
    """The section of the report."""
    sides = [broker for broker in (roost, peer) if isinstance(broker, (Roost, Mosquitto))]
    lines = [
        "", "## Under attack", "",
        f"What a client feels: ten pairs at QoS 1, {RATE} messages a second in open loop, from PUBLISH to the subscriber, p99 in "
        "µs before and during the attack; and by how much the broker's anonymous memory grows meanwhile. The attacker runs "
        "on the broker's core when that has nothing to do. Everything with the defaults. Medians of "
        f"{rounds} rounds of {seconds:g} s.", "",
        "| attack | " + " | ".join(f"{broker.name}: quiet | during | ratio | MiB" for broker in sides) + " |",
        "|---|" + "---:|" * 4 * len(sides),
    ]
    targets = []
    for kind, what, over, allowed in ATTACKS:
        cells = []
        for broker in sides:
            found = []
            with contextlib.suppress(Failed):
                found = [one(bench, broker, kind, over, seconds) for _ in range(rounds)]
            if not found:
                cells.append("n/a | n/a | n/a | n/a")
                continue
            quiet, during, grown = (statistics.median(run[key] for run in found) for key in ("quiet", "during", "grown"))
            lost = sum(run["lost"] for run in found)
            cells.append(f"{number(quiet)} | {number(during)} | **{ratio(during, quiet)}** | {number(grown)}" + (f", {lost} lost" if lost else ""))
            if broker is roost:
                targets.append(Target(f"{kind}: p99 during ÷ quiet", "≤ 2", during / quiet, 2, True))
                targets.append(Target(f"{kind}: memory, MiB", f"≤ {allowed}", grown, allowed, True))
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return Section(lines, targets)
