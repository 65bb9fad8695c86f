#!/usr/bin/env python3
"""Cuts the power of a real file system under roostd, at random instants, and looks for what was acknowledged.

    make powerloss CUTS=100
    Tests/EndToEnd/Scripts/powerloss.py [--cuts 100] [--seconds 20] [--roostd PATH] [--without-syncs]

roostd keeps its data on ext4, on a loop device, on a file whose every write and flush is recorded (recorder.c). Publishers
load it, and write down what is acknowledged when. Then, for each of many instants, the device is built again as a power
cut at that instant may have left it: everything up to the last flush, and of what was written after it any part, in
blocks of 512 or 4,096 bytes, as drives with a cache do it. The image is mounted, roostd started on it, and everything that
had been acknowledged by then must come out: at a subscriber whose session was away, and at the cloud.

`--without-syncs` has fsync and fdatasync of roostd do nothing: then it must fail, or it proves nothing.

Needs root, a loop device and /dev/fuse. Leaves nothing behind. Exit code 0: nothing is missing at any instant.
"""

import argparse
import bisect
import ctypes
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from smallmqtt import Client, Loop, free_port

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[2]
PUBLISHERS = 4
MEBIBYTES = 96
HEAD = struct.Struct("<QQQ")
CLONE_NEWNS, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20000, 0x4000, 0x40000, 2
libc = ctypes.CDLL(None, use_errno=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20, help="how long the load lasts")
    parser.add_argument("--roostd", default=str(PACKAGE / ".build/release/roostd"))
    parser.add_argument("--dir", default="/var/tmp", help="where the recording lives meanwhile")
    parser.add_argument("--without-syncs", action="store_true", help="have roostd's syncs do nothing; must fail")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    return parser.parse_args()


def run(*words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class Device:
    """A file as a mounted ext4 file system; every one of them is gone at the end."""

    open = []

    def __init__(self, file, mountpoint):
        self.mountpoint = mountpoint
        self.name = run("losetup", "--find", "--show", str(file))
        Device.open.append(self)

    def mount(self):
        os.makedirs(self.mountpoint, exist_ok=True)
        run("mount", "-t", "ext4", self.name, self.mountpoint)

    def close(self):
        libc.umount2(self.mountpoint.encode(), MNT_DETACH)
        subprocess.run(["losetup", "-d", self.name], stderr=subprocess.DEVNULL)
        Device.open.remove(self)


class Daemon:
    running = []

    def __init__(self, roostd, directory, name, data, port, settings, environment=None):
        configuration = f"{directory}/{name}.toml"
        Path(configuration).write_text(
            f'[node]\nid = "{name}"\ndata = "{data}"\n[[listener]]\nbind = "127.0.0.1:{port}"\n'
            f'[admin]\nsocket = "{directory}/{name}.sock"\n[limits]\nsession_messages = 10000000\n'
            f'session_bytes = "1GiB"\n{settings}\n'
        )
        self.log = f"{directory}/{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [roostd, "-c", configuration], stderr=log, stdout=log, env={**os.environ, **(environment or {})}
            )
        Daemon.running.append(self)

    def kill(self):
        self.process.kill()
        self.process.wait()
        Daemon.running.remove(self)


class Load:
    """Publishers whose acknowledgements are written down with their times."""

    def __init__(self, loop, port):
        self.loop = loop
        self.next = [0] * PUBLISHERS
        # In the order of time: (seconds on CLOCK_MONOTONIC, publisher, number).
        self.acknowledged = []
        self.running = True
        self.clients = [
            Client(loop, port, f"publisher-{index}", on_acknowledged=self.note) for index in range(PUBLISHERS)
        ]

    def note(self, tag, _):
        # What only the live subscriber wants is not looked for later.
        if tag is not None:
            self.acknowledged.append((time.monotonic(), *tag))

    def step(self):
        """Bursts and pauses, so that commits of one message and of many are in it."""
        if not self.running:
            return
        for index, client in enumerate(self.clients):
            if len(client.waiting) < 100:
                for _ in range(random.choice((0, 1, 1, 5, 40))):
                    self.next[index] += 1
                    number = self.next[index]
                    filling = random.randbytes(random.randrange(20, 120)).hex()
                    kept = number % 4 != 0
                    topic, tag = (f"load/{index}", (index, number)) if kept else (f"churn/{index}", None)
                    client.publish(topic, f"{number} {filling}".encode(), 1 + number % 2, tag)
        self.loop.after(random.uniform(0.001, 0.02), self.step)


def record(options, directory, environment):
    """Runs the load on a recorded disk; returns the log's path, where the load begins in time, and what was acknowledged."""
    log, mountpoint = f"{directory}/log", f"{directory}/recorded"
    os.makedirs(mountpoint)
    recorder = subprocess.Popen([f"{directory}/recorder", log, str(MEBIBYTES), mountpoint])
    try:
        while not os.path.exists(f"{mountpoint}/disk"):
            if recorder.poll() is not None:
                sys.exit("powerloss: the recorder does not run: is /dev/fuse there?")
            time.sleep(0.01)
        device = Device(f"{mountpoint}/disk", f"{directory}/disk")
        run("mkfs.ext4", "-q", "-F", "-b", "4096", device.name)
        device.mount()
        loop, port = Loop(), free_port()
        settings = uplink(free_port())
        daemon = Daemon(options.roostd, directory, "node", f"{directory}/disk/data", port, settings, environment)
        keeper = Client(loop, port, "keeper", ["load/#"])
        live = Client(loop, port, "live", ["churn/#"], lambda *_: None)
        if not loop.run(lambda: keeper.subscribed and live.subscribed, 30):
            sys.exit(f"powerloss: roostd does not serve: {Path(daemon.log).read_text()}")
        keeper.stop()
        load = Load(loop, port)
        loop.run(lambda: all(client.connected for client in load.clients), 10)
        begun = time.monotonic()
        load.step()
        loop.run(lambda: False, options.seconds)
        load.running = False
        ended = time.monotonic()
        daemon.kill()
        device.close()
        return log, begun, ended, load.acknowledged
    finally:
        for device in list(Device.open):
            device.close()
        subprocess.run(["fusermount3", "-u", "-z", mountpoint], stderr=subprocess.DEVNULL)
        recorder.wait(30)


def uplink(port):
    return (
        f'[[uplink]]\nname = "cloud"\nurls = ["mqtt://127.0.0.1:{port}"]\nreconnect = {{ min = "50ms", max = "500ms" }}\n'
        '[[uplink.route]]\nfilter = "load/#"\n'
    )


class Recording:
    """The log, read once; images are built in the order of time."""

    def __init__(self, path):
        self.file = open(path, "rb")
        self.records = []
        position, size = 0, os.path.getsize(path)
        while position + HEAD.size <= size:
            self.file.seek(position)
            moment, offset, length = HEAD.unpack(self.file.read(HEAD.size))
            self.records.append((moment / 1e9, offset, length, position + HEAD.size))
            position += HEAD.size + length
        self.times = [entry[0] for entry in self.records]
        self.durable = bytearray(MEBIBYTES << 20)
        self.flushed = 0

    def cuts(self, count, begun, ended, chance):
        """Instants: half at any time, half right behind a write, since much of the time nothing is on its way."""
        writes = [moment for moment, _, length, _ in self.records if length and begun <= moment <= ended]
        found = [chance.choice(writes) for _ in range(count // 2)] if writes else []
        return sorted(found + [chance.uniform(begun, ended) for _ in range(count - len(found))])

    def apply(self, image, entry, keep=None, block=4096):
        _, offset, length, position = entry
        self.file.seek(position)
        data = self.file.read(length)
        for at in range(0, length, block):
            if keep is None or keep():
                image[offset + at : offset + min(at + block, length)] = data[at : at + block]

    def image(self, moment, chance):
        """As the cut at that time may leave it; times must ascend. Returns the image and how it was made."""
        end = bisect.bisect_right(self.times, moment)
        flush = max((index for index in range(self.flushed, end) if self.records[index][2] == 0), default=None)
        if flush is not None:
            for entry in self.records[self.flushed : flush]:
                if entry[2]:
                    self.apply(self.durable, entry)
            self.flushed = flush + 1
        image = bytearray(self.durable)
        later = [entry for entry in self.records[self.flushed : end] if entry[2]]
        block, share = chance.choice((512, 4096)), chance.choice((0, 0.1, 0.5, 0.9, 1))
        for entry in later:
            self.apply(image, entry, lambda: chance.random() < share, block)
        return image, f"{len(later)} writes since the last flush, {share:.0%} of their {block}-byte blocks"


class Collector:
    """What comes out somewhere, in order by publisher."""

    def __init__(self):
        self.numbers = [[] for _ in range(PUBLISHERS)]

    def take(self, topic, payload, qos, _):
        self.numbers[int(topic[5:])].append((qos, int(payload.split(b" ", 1)[0])))

    def missing(self, acknowledged):
        found = [{number for _, number in numbers} for numbers in self.numbers]
        return [(publisher, number) for _, publisher, number in acknowledged if number not in found[publisher]]

    @property
    def is_ordered(self):
        """At each QoS."""
        return all(
            numbers == sorted(numbers)
            for pairs in self.numbers
            for numbers in ([number for qos, number in pairs if qos == wanted] for wanted in (1, 2))
        )


def check(options, directory, image, acknowledged):
    """Starts roostd on what a cut left; returns what is wrong with it, in words."""
    file = f"{directory}/image"
    Path(file).write_bytes(image)
    device = Device(file, f"{directory}/disk")
    daemons = []
    try:
        device.mount()
        loop, port, above = Loop(), free_port(), free_port()
        cloud_data = f"{directory}/cloud-data"
        shutil.rmtree(cloud_data, ignore_errors=True)
        cloud = Daemon(options.roostd, directory, "cloud", cloud_data, above, "[ingest]\nenabled = true")
        daemons.append(cloud)
        at_cloud, in_session = Collector(), Collector()
        reader = Client(loop, above, "reader", ["load/#"], at_cloud.take)
        loop.run(lambda: reader.subscribed, 20)
        node = Daemon(options.roostd, directory, "node", f"{directory}/disk/data", port, uplink(above))
        daemons.append(node)
        keeper = Client(loop, port, "keeper", ["load/#"], in_session.take)
        keeper.had_session = True
        # Until both have everything, or nothing comes any more.
        places = (("the cloud", at_cloud), ("the session", in_session))
        last, moved = -1, time.monotonic()
        while any(place.missing(acknowledged) for _, place in places) and time.monotonic() - moved < 8:
            loop.run(lambda: False, 0.2)
            count = sum(len(numbers) for _, place in places for numbers in place.numbers)
            if count != last:
                last, moved = count, time.monotonic()
        wrong = []
        for name, place in places:
            missing = place.missing(acknowledged)
            if missing:
                first = ", ".join(f"publisher {publisher} number {number}" for publisher, number in missing[:3])
                wrong.append(f"{len(missing)} of {len(acknowledged)} missing at {name}: {first}")
            elif not place.is_ordered:
                wrong.append(f"out of order at {name}")
        if keeper.sessions_lost:
            wrong.append("the session is gone")
        if node.process.poll() is not None:
            wrong.append(f"roostd ended with {node.process.returncode}: {Path(node.log).read_text()[-600:]}")
        reader.stop()
        keeper.stop()
        return wrong
    except subprocess.CalledProcessError as error:
        return [f"the image can't be mounted: {error}"]
    finally:
        for daemon in daemons:
            daemon.kill()
        device.close()


def compile(directory, without_syncs):
    flags = run("pkg-config", "--cflags", "--libs", "fuse3").split()
    run("cc", "-O2", "-o", f"{directory}/recorder", str(HERE / "recorder.c"), *flags)
    if not without_syncs:
        return {}
    source = f"{directory}/nosync.c"
    Path(source).write_text("int fsync(int file) { return 0; }\nint fdatasync(int file) { return 0; }\n")
    run("cc", "-shared", "-fPIC", "-o", f"{directory}/nosync.so", source)
    return {"LD_PRELOAD": f"{directory}/nosync.so"}


def main():
    options = arguments()
    if os.geteuid() != 0:
        sys.exit("powerloss: needs root, to mount file systems")
    # What is mounted here nobody else sees, and is gone with this process.
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        sys.exit("powerloss: no mount namespace of its own: " + os.strerror(ctypes.get_errno()))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    chance = random.Random(options.seed)
    random.seed(options.seed)
    directory = tempfile.mkdtemp(prefix="roost-powerloss-", dir=options.dir)
    try:
        environment = compile(directory, options.without_syncs)
        log, begun, ended, acknowledged = record(options, directory, environment)
        recording = Recording(log)
        flushes = sum(1 for entry in recording.records if entry[2] == 0)
        print(
            f"seed {options.seed}: {len(acknowledged)} messages acknowledged in {ended - begun:.0f} s; the disk saw "
            f"{len(recording.records) - flushes} writes and {flushes} flushes",
            flush=True,
        )
        failures = tested = 0
        for cut in recording.cuts(options.cuts, begun, ended, chance):
            image, how = recording.image(cut, chance)
            before = [entry for entry in acknowledged if entry[0] <= cut]
            wrong = check(options, directory, image, before)
            tested += 1
            failures += bool(wrong)
            verdict = "; ".join(wrong) if wrong else f"all {len(before)} there"
            if wrong or tested % 10 == 0 or sys.stdout.isatty():
                print(f"cut {tested} at {cut - begun:.3f} s ({how}): {verdict}", flush=True)
        if failures:
            print(f"NOT KEPT: {tested} power cuts, {failures} of them lost something.")
        else:
            print(f"Kept: {tested} power cuts, and nothing that was acknowledged is lost.")
        return 1 if failures else 0
    except KeyboardInterrupt:
        return 1
    finally:
        for daemon in list(Daemon.running):
            daemon.kill()
        for device in list(Device.open):
            device.close()
        libc.umount2(f"{directory}/recorded".encode(), MNT_DETACH)
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
