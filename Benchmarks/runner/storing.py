"""Keeping messages safe: the store by itself, and a whole broker, beside plain files."""

import statistics
import subprocess

from .brokers import Setup
from .processes import Failed
from .targets import Section, Target

GROUPS = (1, 8, 64, 256, 1024)
SHAPES = ((1, 64), (8, 8), (64, 1), (1, 256), (8, 32), (64, 4))


def median(runs, key):
    values = [run[key] for run in runs if run and run.get(key) is not None]
    return statistics.median(values) if values else None


def spread(ours, theirs, key="ack_rate"):
    """Ratio of the medians, and the smallest and largest of a round."""
    pairs = sorted(a[key] / b[key] for a, b in zip(ours, theirs) if a and b)
    if not pairs:
        return None, "n/a"
    middle = median(ours, key) / median(theirs, key)
    return middle, f"**{middle:.2f}** [{pairs[0]:.2f}-{pairs[-1]:.2f}]"


def attempt(run):
    try:
        return run()
    except Failed as failure:
        print(f"  {failure}", flush=True)
        return {}


def store_alone(bench, program, packets, group, seconds):
    """`program` keeps groups on the broker's core."""
    directory = bench.scratch()
    before = bench.disk_bytes(directory)
    result = subprocess.run(
        ["taskset", "-c", str(bench.broker_core), str(program), str(directory / "data"), str(packets), str(group),
         str(seconds)], capture_output=True, text=True, timeout=120)
    if result.returncode:
        raise Failed(result.stdout.strip() or result.stderr.strip() or "store-bench ended")
    figures = bench.parse(result.stdout)
    figures["disk_bytes"] = (bench.disk_bytes(directory) - before) / figures["messages"]
    bench.remove(directory)
    return figures


def plain_file(bench, group, seconds, **more):
    return bench.load(
        "file", core=bench.broker_core, disk=bench.directory / "plain", group=group, size=150, seconds=seconds, **more)


def bare(bench, group, seconds):
    return bench.load("sqlite", core=bench.broker_core, disk=bench.directory / "bare.sqlite3", group=group, size=150,
                      seconds=seconds)


def alone(bench, program, rounds, seconds):
    """The log and its writer without a broker, against a plain file with the same groups."""
    if not program:
        return Section(["", "The store alone: not measured; build it with `make store-bench`."]), {}
    packets = bench.directory / "packets"
    plain_file(bench, 64, 0.05, capture=packets)
    lines = [
        "", "### The store alone", "",
        "Messages of 150 bytes JSON on a topic of 30, decoded, appended to the log for a session that is away, committed by "
        "its writer; `group` outstanding, the next when all are on the disk. Beside it `write` and `fdatasync` of the same "
        "packets, as many at a time. The same core and disk, in turn, medians of "
        f"{rounds} rounds. *Bare SQLite*: a C program that inserts a "
        "compressed row a group and commits it, and does nothing else: what SQLite leaves of the file's rate on this machine. "
        "*Drain*: reading all back and removing it.", "",
        "| group | store | plain file | store ÷ file | bare SQLite ÷ file | store ÷ bare SQLite | CPU µs a message, store / file | disk bytes a message, store / file "
        "| drain |", "|---:|---:|---:|---|---|---|---:|---:|---:|",
    ]
    targets, files = [], {}
    for group in GROUPS:
        ours, theirs, bares = [], [], []
        for index in range(rounds):
            turns = [
                (ours, lambda: store_alone(bench, program, packets, group, seconds)),
                (theirs, lambda: plain_file(bench, group, seconds)),
                (bares, lambda: bare(bench, group, seconds)),
            ]
            for runs, run in turns if index % 2 == 0 else turns[::-1]:
                runs.append(attempt(run))
        files[group] = median(theirs, "ack_rate")
        ratio, text = spread(ours, theirs)
        if ratio is None:
            continue
        drain = median(ours, "drain_rate")
        lines.append(
            f"| {group} | {median(ours, 'ack_rate'):,.0f}/s | {files[group]:,.0f}/s | {text} | "
            f"{spread(bares, theirs)[1]} | {spread(ours, bares)[1]} | "
            f"{median(ours, 'store_us'):.2f} / {median(theirs, 'store_us'):.2f} | {median(ours, 'disk_bytes'):,.0f} / "
            f"{median(theirs, 'disk_bytes'):,.0f} | {drain:,.0f}/s |")
        if group in (64, 256):
            targets.append(Target(f"store alone ÷ plain file, groups of {group}", "≥ 0.8", ratio, 0.8))
        if group == 64:
            written = median(ours, "disk_bytes") / 150
            targets.append(Target("store alone, device bytes ÷ payload, groups of 64", "≤ 1.5", written, 1.5, True))
            targets.append(
                Target("database: drain ÷ storing, groups of 64", "≥ 1", drain / median(ours, "ack_rate"), 1))
    return Section(lines, targets), files


def sink(bench, publishers, window, seconds):
    directory = bench.scratch()
    with bench.helper("sink", directory, disk=directory / "file", group=publishers * window) as (process, port):
        return publish(bench, process, port, directory, publishers, window, seconds)


def publish(bench, process, port, directory, publishers, window, seconds):
    return bench.load(
        "away", port=port, pid=process.pid, publishers=publishers, window=window, size=150, seconds=seconds,
        messages=2_000_000, disk=directory, drain=0, settle_ms=0)


def broker(bench, broker, publishers, window, seconds):
    setup = Setup(kept=True, inflight=1000)
    with bench.broker(broker, setup) as process:
        return publish(bench, process, setup.port, setup.data, publishers, window, seconds)


def end_to_end(bench, roost, peers, files, rounds, seconds):
    """Through MQTT: Roost, the least server that keeps messages in a plain file, and other brokers."""
    lines = [
        "", "### Through MQTT", "",
        "Publishers x messages outstanding of each, QoS 1, 150 bytes, a session that is away, `durability = \"strict\"`. *Sink*: "
        "`load sink`, a C program that takes PUBLISHes, appends them to a plain file, calls fdatasync when all that are "
        "outstanding have come, and answers: what the same network costs with nothing behind it but a file. *File*: the plain "
        "file without any network, from the table above.", "",
        "| shape | Roost | sink | Roost ÷ sink | Roost ÷ file | CPU µs, Roost / sink |"
        + "".join(f" {peer.name} | Roost ÷ {peer.name} |" for peer in peers),
        "|---|---:|---:|---|---:|---:|" + "---:|---|" * len(peers),
    ]
    targets = []
    for publishers, window in SHAPES:
        sides = [("roost", lambda: broker(bench, roost, publishers, window, seconds)),
                 ("sink", lambda: sink(bench, publishers, window, seconds))]
        sides += [(peer.name, lambda peer=peer: broker(bench, peer, publishers, window, seconds)) for peer in peers]
        runs = {name: [] for name, _ in sides}
        for index in range(rounds):
            for name, run in sides if index % 2 == 0 else sides[::-1]:
                runs[name].append(attempt(run))
        ratio, text = spread(runs["roost"], runs["sink"])
        if ratio is None:
            continue
        ours, group = median(runs["roost"], "ack_rate"), publishers * window
        of_file = f"{ours / files[group]:.2f}" if files.get(group) else "n/a"
        row = (f"| {publishers} x {window} | {ours:,.0f}/s | {median(runs['sink'], 'ack_rate'):,.0f}/s | {text} | {of_file} | "
               f"{median(runs['roost'], 'store_us'):.2f} / {median(runs['sink'], 'store_us'):.2f} |")
        for peer in peers:
            against, peer_text = spread(runs["roost"], runs[peer.name])
            rate = median(runs[peer.name], "ack_rate")
            row += f" {rate:,.0f}/s | {peer_text} |" if rate else " n/a | n/a |"
            if peer.wants and against:
                targets.append(
                    Target(f"acknowledged, {publishers} x {window} ÷ {peer.name}", f"≥ {peer.wants}", against, peer.wants))
        lines.append(row)
        targets.append(Target(f"acknowledged through MQTT ÷ sink, {publishers} x {window}", "≥ 0.8", ratio, 0.8))
    return Section(lines, targets)
