"""A full store: how long a start takes, and what others feel while it drains."""

import json
import subprocess
import time

from .brokers import Setup
from .processes import Failed
from .targets import Section


def queued(bench, cli, setup):
    result = subprocess.run(
        [str(cli), "--socket", str(setup.data / "data/admin.sock"), "queue", "--json"], capture_output=True, text=True, timeout=20)
    if result.returncode:
        raise Failed(f"roost queue: {result.stderr.strip()}")
    return sum(route["messages"] for route in json.loads(result.stdout))


def recovery(bench, roost, cli, gigabytes):
    port = bench.unused_port()
    setup = Setup(upstream_port=port, kept=True, budget="6GiB", inflight=1000)
    setup.port, setup.data = bench.unused_port(), bench.scratch()
    process = bench.start_broker(roost, setup)
    messages = int(gigabytes * 2**30 / 960)  # what one of 1,024 bytes takes on the disk, about
    stored = bench.load(
        "away", port=setup.port, pid=process.pid, publishers=8, window=64, size=1024, random=1, seconds=120,
        messages=messages, disk=setup.data, drain=0, session=0, settle_ms=0)
    bytes_kept = sum(path.stat().st_size for path in (setup.data / "data").iterdir())
    rows = []
    for how in ("after SIGKILL", "after SIGTERM"):
        bench.end_broker(process, kill=how.endswith("KILL"))
        cold = bench.drop_caches()
        ready, connack, process = bench.start_until_connack(roost, setup)
        rows.append((how, cold, ready, connack))
    waiting = queued(bench, cli, setup)

    drain_began = time.monotonic()
    guard = bench.directory / "draining"
    guard.touch()
    with bench.broker(roost, Setup(receives_batches=True, fixed_port=port), core=bench.load_core):
        probe = bench.start_load("stall", port=setup.port, seconds=90, counters=guard)
        while queued(bench, cli, setup) > 0 and time.monotonic() < drain_began + 90:
            time.sleep(0.25)
        took = time.monotonic() - drain_began
        left = queued(bench, cli, setup)
        guard.unlink()
        felt = bench.finish_load(probe, 30)
    bench.end_broker(process)
    bench.remove(setup.data)
    lines = [
        "", "## A full store", "",
        f"{stored['acknowledged']:,} messages of 1,024 bytes for an uplink that is down, {bytes_kept / 2**30:.2f} GiB on the disk.",
        "", "| start | to READY | to the first CONNACK |", "|---|---:|---:|",
        *(f"| {how}{', page cache dropped' if cold else ''} | {ready:.1f} ms | {connack:.1f} ms |" for how, cold, ready, connack in rows),
        "", f"Then the uplink came: {waiting - left:,} messages in {took:.1f} s ({(waiting - left) / took:,.0f}/s), the receiving "
        "Roost on the other core. Meanwhile at the node:", "",
        "| | p50 | p99 | worst | of |", "|---|---:|---:|---:|---:|",
        *(f"| {title} | {felt[key + '_p50_ms']:.2f} ms | {felt[key + '_p99_ms']:.2f} ms | {felt[key + '_max_ms']:.2f} ms | "
          f"{felt[key + '_count']:,} |" for title, key in (("PINGREQ to PINGRESP", "ping"), ("PUBLISH to PUBACK, one commit each", "commit"))),
    ]
    return Section(lines)
