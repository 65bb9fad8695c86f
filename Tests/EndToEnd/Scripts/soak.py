#!/usr/bin/env python3
"""Roost for an hour on a link that comes and goes: what grows, and what is lost.

    make soak MINUTES=60
    Tests/EndToEnd/Scripts/soak.py --minutes 60 [--roostd PATH] [--dir PATH] [--rate 300] [--up 2] [--down 5]

A node and its cloud, ten publishers (RATE messages a second at QoS 1 and as many at QoS 0), three persistent subscribers
on the node, one of which is mostly away, and one at the cloud. The link is up for 2 s and down for 5, refusing and silent
in turn. Prints a line for every twelfth of the time: memory, descriptors, disk and the time from PUBLISH to PUBACK.

Exit code 0: nothing that was acknowledged is missing anywhere, nothing arrived twice at the cloud, and neither memory nor
descriptors grew in the second half.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from smallmqtt import Client, Loop, Relay, free_port

PACKAGE = Path(__file__).resolve().parents[3]
PUBLISHERS = 10
FILLER = '","temperature":{"value":62.31,"unit":"C"},"pressure":{"value":181.04,"unit":"bar"}}'


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--roostd", default=str(PACKAGE / ".build/release/roostd"))
    parser.add_argument("--dir", default="/var/tmp", help="where the data lives meanwhile")
    parser.add_argument("--rate", type=float, default=300, help="messages a second at QoS 1, and as many at QoS 0")
    parser.add_argument("--up", type=float, default=2, help="seconds")
    parser.add_argument("--down", type=float, default=5, help="seconds")
    return parser.parse_args()


class Daemon:
    """A roostd, and what the kernel says of it."""

    def __init__(self, roostd, directory, name, settings):
        self.port, self.name, self.data = free_port(), name, f"{directory}/{name}"
        self.log = open(f"{directory}/{name}.log", "ab")
        configuration = f"{directory}/{name}.toml"
        Path(configuration).write_text(
            f'[node]\nid = "{name}"\ndata = "{self.data}"\n[[listener]]\nbind = "127.0.0.1:{self.port}"\n'
            f"[limits]\nsession_messages = 10000000\nsession_bytes = \"1GiB\"\n{settings}\n"
        )
        self.process = subprocess.Popen([roostd, "-c", configuration], stderr=self.log, stdout=self.log)

    def status(self, key):
        """KiB, from /proc/PID/status."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        return 0

    @property
    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @property
    def written(self):
        for line in Path(f"/proc/{self.process.pid}/io").read_text().splitlines():
            if line.startswith("write_bytes:"):
                return int(line.split()[1])
        return 0

    @property
    def stored(self):
        total = 0
        for file in os.scandir(self.data):
            try:
                total += file.stat().st_blocks * 512
            except FileNotFoundError:
                pass
        return total

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


class Place:
    """What has arrived somewhere: one byte a message."""

    def __init__(self, name):
        self.name = name
        self.seen = [bytearray() for _ in range(PUBLISHERS)]
        self.highest = [0] * PUBLISHERS
        self.arrived = self.again = self.late = self.best_effort = 0

    def take(self, topic, payload, qos, _):
        if qos == 0:
            self.best_effort += 1
            return
        publisher, number = int(topic.rsplit("/", 1)[1]), int(payload[5 : payload.index(b",")])
        seen = self.seen[publisher]
        if len(seen) <= number:
            seen.extend(bytes(max(number + 1, 2 * len(seen)) - len(seen)))
        if seen[number]:
            self.again += 1
            return
        seen[number] = 1
        self.arrived += 1
        if number < self.highest[publisher]:
            self.late += 1
        self.highest[publisher] = max(self.highest[publisher], number)

    def lacks(self, publisher, number):
        return len(self.seen[publisher]) <= number or not self.seen[publisher][number]


class Soak:
    def __init__(self, options, directory):
        self.options = options
        self.loop = Loop()
        self.cloud = Daemon(options.roostd, directory, "cloud", "[ingest]\nenabled = true")
        port = free_port()
        self.node = Daemon(
            options.roostd,
            directory,
            "node",
            f'[[uplink]]\nname = "cloud"\nurls = ["mqtt://127.0.0.1:{port}"]\nkeep_alive = "10s"\n'
            'reconnect = { min = "200ms", max = "2s" }\n[[uplink.route]]\nfilter = "soak/#"\n',
        )
        self.relay = Relay(self.loop, port, self.cloud.port)
        self.places = [Place(name) for name in ("cloud", "steady", "busy", "away")]
        self.readers = []
        for place in self.places:
            broker = self.cloud if place.name == "cloud" else self.node
            self.readers.append(Client(self.loop, broker.port, f"reader-{place.name}", ["soak/#"], place.take))
        self.numbers = [0] * PUBLISHERS
        self.acknowledged = [bytearray() for _ in range(PUBLISHERS)]
        self.published = self.count = self.sent0 = 0
        self.latencies = []
        self.publishers = [
            Client(self.loop, self.node.port, f"machine-{index}", on_acknowledged=self.note)
            for index in range(PUBLISHERS)
        ]
        self.running = True
        self.samples = []

    def note(self, tag, seconds):
        publisher, number = tag
        done = self.acknowledged[publisher]
        if len(done) <= number:
            done.extend(bytes(max(number + 1, 2 * len(done)) - len(done)))
        done[number] = 1
        self.count += 1
        self.latencies.append(seconds)

    def start(self):
        ready = lambda: all(r.subscribed for r in self.readers) and all(p.connected for p in self.publishers)
        if not self.loop.run(ready, 30):
            sys.exit("soak: the daemons don't serve")
        self.began = time.monotonic()
        self.due = 0.0
        self.load()
        self.link(silently=False)
        self.leave()

    def load(self):
        """Evenly: a message of each kind at a time."""
        if not self.running:
            return
        self.due = (time.monotonic() - self.began) * self.options.rate
        while self.published < self.due:
            publisher = self.published % PUBLISHERS
            self.numbers[publisher] += 1
            number = self.numbers[publisher]
            payload = f'{{"n":{number},"device":"machine-{publisher}{FILLER}'.encode()
            self.publishers[publisher].publish(f"soak/{publisher}", payload, 1, (publisher, number))
            self.sent0 += self.publishers[publisher].publish(f"soak/fast/{publisher}", payload, 0)
            self.published += 1
        self.loop.after(0.005, self.load)

    def link(self, silently):
        def restore():
            self.relay.restore()
            if self.running:
                self.loop.after(self.options.up, lambda: self.link(not silently))

        if self.running:
            self.relay.cut(silently)
            self.loop.after(self.options.down, restore)

    def leave(self):
        """One reader is away for most of the time, another now and then for a moment."""
        if self.running:
            self.readers[3].drop(random.uniform(20, 40))
            self.readers[2].drop(random.uniform(0, 1))
            self.loop.after(60, self.leave)

    def missing(self, place):
        return sum(
            1
            for publisher in range(PUBLISHERS)
            for number, done in enumerate(self.acknowledged[publisher])
            if done and place.lacks(publisher, number)
        )

    def sample(self):
        times = sorted(self.latencies) or [0]
        self.latencies = []
        row = {
            "minute": (time.monotonic() - self.began) / 60,
            "published": self.published,
            "acked": self.count,
            "cloud": self.places[0].arrived,
            "rss": self.node.status("VmRSS") / 1024,
            "anon": self.node.status("RssAnon") / 1024,
            "fds": self.node.descriptors,
            "stored": self.node.stored / 1e6,
            "written": self.node.written / 1e6,
            "p50": times[len(times) // 2] * 1000,
            "p99": times[len(times) * 99 // 100] * 1000,
            "max": times[-1] * 1000,
            "c.rss": self.cloud.status("VmRSS") / 1024,
            "c.anon": self.cloud.status("RssAnon") / 1024,
            "c.fds": self.cloud.descriptors,
        }
        if not self.samples:
            print("rss, anon: MiB; stored, written: MB; p50, p99, max: ms from PUBLISH to PUBACK; c.: the cloud's")
            print("".join(f"{name:>10}" for name in row), flush=True)
        self.samples.append(row)
        words = [f"{value:.1f}" if isinstance(value, float) else str(value) for value in row.values()]
        print("".join(f"{word:>10}" for word in words), flush=True)

    def drain(self):
        self.running = False
        self.loop.run(lambda: all(publisher.is_idle for publisher in self.publishers), 60)
        self.loop.run(lambda: self.relay.listener is not None and not self.relay.silent, self.options.down + 1)
        total = lambda: [place.arrived for place in self.places]
        while min(total()) < self.count:
            before = total()
            self.loop.run(lambda: min(total()) >= self.count, 15)
            if total() == before:
                break
        self.loop.run(lambda: False, 2)

    def judge(self):
        """Says what is wrong; the empty list: nothing."""
        wrong = []
        for place in self.places:
            missing = self.missing(place)
            print(
                f"{place.name}: {place.arrived} of {self.count} acknowledged, {missing} missing, {place.again} again, "
                f"{place.late} out of order; QoS 0: {place.best_effort} of {self.sent0}"
            )
            if missing or place.late:
                wrong.append(f"{place.name}: {missing} missing, {place.late} out of order")
        if self.places[0].again:
            wrong.append(f"{self.places[0].again} twice at the cloud")
        lost = sum(client.sessions_lost for client in self.readers + self.publishers)
        if lost:
            wrong.append(f"{lost} sessions lost")
        half = self.samples[len(self.samples) // 2 :]
        if len(half) >= 3:
            for key, allowed in (("anon", 8), ("c.anon", 8), ("fds", 2), ("c.fds", 2)):
                growth = sum(row[key] for row in half[-2:]) / 2 - half[0][key]
                if growth > allowed:
                    wrong.append(f"{key} grew by {growth:.1f} in the second half")
        return wrong


def main():
    options = arguments()
    directory = tempfile.mkdtemp(prefix="roost-soak-", dir=options.dir)
    soak = None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        soak = Soak(options, directory)
        soak.start()
        end = soak.began + options.minutes * 60
        part = options.minutes * 60 / 12
        while time.monotonic() < end:
            soak.loop.run(lambda: False, min(part, max(0.1, end - time.monotonic())))
            soak.sample()
        soak.drain()
        print(f"\n{soak.relay.cuts} cuts; the link carried {soak.relay.bytes / 1e6:.1f} MB")
        wrong = soak.judge()
        for daemon in (soak.node, soak.cloud):
            code = daemon.stop()
            if code != 0:
                wrong.append(f"{daemon.name} ended with {code}")
        print("Kept." if not wrong else "NOT KEPT: " + "; ".join(wrong))
        return 1 if wrong else 0
    except KeyboardInterrupt:
        return 1
    finally:
        if soak is not None:
            for daemon in (soak.node, soak.cloud):
                daemon.process.kill()
                daemon.process.wait()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
