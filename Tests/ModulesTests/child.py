"""A module as tests have it: speaks MQTT by hand, over descriptor 3 or the socket, and does what its table says."""

import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time

table = json.load(sys.stdin)
name = os.environ["ROOST_MODULE"]
does = table.get("does", "")


def say(text):
    print(text, flush=True)


if "--check" in sys.argv:
    assert "ROOST_MQTT_FD" not in os.environ and "ROOST_MQTT_PASSWORD" not in os.environ
    for line in table.get("finds", []):
        print(line)
    if does == "hang":
        time.sleep(1000)
    sys.exit(table.get("code", 0))


def text(value):
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def packet(first, body):
    size, length = len(body), b""
    while True:
        size, digit = size // 128, size % 128
        length += bytes([digit | (128 if size else 0)])
        if not size:
            return bytes([first]) + length + body


class Client:
    """MQTT 5, as little of it as there can be."""

    def __init__(self, over, identifier=name, login=None, keep=60, expiry=0):
        if over == "fd":
            self.socket = socket.socket(fileno=int(os.environ["ROOST_MQTT_FD"]))
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(os.environ["ROOST_MQTT_URL"].removeprefix("unix:"))
        self.rest, self.others = b"", []
        flags, more = 2 if not expiry else 0, b""
        if login:
            flags |= 0xC0
            more = text(login[0]) + text(login[1])
        properties = b"\x05\x11" + struct.pack(">I", expiry) if expiry else b"\x00"
        self.socket.sendall(
            packet(0x10, text("MQTT") + bytes([5, flags]) + struct.pack(">H", keep) + properties + text(identifier) + more))
        self.connack = self.wait(2)
        self.reason = self.connack[1]

    def read(self):
        """The next packet: its type and body; None at the end."""
        while True:
            if len(self.rest) >= 2:
                size, shift, at = 0, 0, 1
                while at < len(self.rest):
                    size |= (self.rest[at] & 127) << shift
                    at, shift = at + 1, shift + 7
                    if not self.rest[at - 1] & 128:
                        break
                if len(self.rest) >= at + size:
                    one, self.rest = (self.rest[0] >> 4, self.rest[at:at + size]), self.rest[at + size:]
                    return one
            more = self.socket.recv(65536)
            if not more:
                return None
            self.rest += more

    def wait(self, kind):
        while True:
            one = self.read()
            if one is None:
                return b"\x00\xff"
            if one[0] == kind:
                return one[1]
            self.others.append(one)

    def publish(self, topic, payload):
        """QoS 1; the reason code."""
        self.socket.sendall(packet(0x32, text(topic) + b"\x00\x01" + b"\x00" + payload.encode()))
        body = self.wait(4)
        return body[2] if len(body) > 2 else 0

    def subscribe(self, topic):
        self.socket.sendall(packet(0x82, b"\x00\x02" + b"\x00" + text(topic) + b"\x00"))
        return self.wait(9)[3]

    def leave(self):
        self.socket.sendall(packet(0xE0, b""))


def status():
    found = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
    return {key: found[key] for key in ["NoNewPrivs", "SigBlk", "SigIgn", "Uid", "Gid"]}


def report():
    # One is that of the directory which is being read.
    descriptors = sorted(int(one) for one in os.listdir("/proc/self/fd"))
    return {
        "table": table, "environment": dict(os.environ), "status": status(), "descriptors": descriptors,
        "process": os.getpid(), "group": os.getpgid(0), "session": os.getsid(0),
        "limits": [resource.getrlimit(resource.RLIMIT_NOFILE)[0], resource.getrlimit(resource.RLIMIT_AS)[0]],
    }


first = report()
if does == "ignore":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        time.sleep(1000)
        sys.exit(0)
if does == "hide":
    time.sleep(1000)
# Before it is connected, and so may be told to end by a test.
ending = []
if does != "ignore":
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
over = table.get("over", "fd")
login = None
if over != "fd":
    login = (os.environ["ROOST_MQTT_USERNAME"], table.get("password") or os.environ["ROOST_MQTT_PASSWORD"])
client = Client(over, table.get("identifier", name), login, expiry=table.get("expiry", 0))
if client.reason:
    say(f"refused with {client.reason:#x}")
    sys.exit(9)

for topic in table.get("subscribes", []):
    say(f"subscribed to {topic}: {client.subscribe(topic):#x}")
for topic in table.get("publishes", []):
    say(f"published to {topic}: {client.publish(topic, 'x'):#x}")
if does == "report":
    client.publish(f"{name}/report", json.dumps(first))
if does == "allocate":
    try:
        bytearray(1 << 30)
        say("got the memory")
    except MemoryError:
        say("got no memory")
if does == "close":
    client.socket.close()
    time.sleep(1000)
if does == "flood":
    for number in range(100_000):
        print(f"line {number}")
    print("x" * 10_000, flush=True)
    client.publish(f"{name}/flooded", "x")
if does == "fail":
    sys.exit("<3>out of order")

while not ending:
    ready, _, _ = select.select([client.socket], [], [], 0.1)
    if ready:
        one = client.read()
        if one is None:
            sys.exit(0)
        if one[0] == 3:
            say("received " + one[1][2:2 + struct.unpack(">H", one[1][:2])[0]].decode())
client.publish(f"{name}/farewell", "x")
client.leave()
