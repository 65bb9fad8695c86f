"""An MQTT 3.1.1 client and a TCP relay on one selector loop: what the soak and the power-loss test load Roost with.

Written apart from Roost's own client on purpose, and small enough to be read: clean session 0, QoS 0 to 2 both ways, what
was not acknowledged sent again with DUP after every lost connection.
"""

import heapq
import itertools
import random
import selectors
import socket
import time

HOST = "127.0.0.1"
CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, PINGRESP = 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xD0


class Loop:
    """Readiness and timers, in one thread."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.timers = []
        self.order = itertools.count()

    def after(self, seconds, body):
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.order), body))

    def watch(self, sock, handler, writing=False):
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        try:
            self.selector.modify(sock, events, handler)
        except KeyError:
            self.selector.register(sock, events, handler)

    def forget(self, sock):
        try:
            self.selector.unregister(sock)
        except (KeyError, ValueError):
            pass
        sock.close()

    def turn(self, longest=0.1):
        wait = min(longest, max(0, self.timers[0][0] - time.monotonic())) if self.timers else longest
        for key, events in self.selector.select(wait):
            key.data(events)
        now = time.monotonic()
        while self.timers and self.timers[0][0] <= now:
            heapq.heappop(self.timers)[2]()

    def run(self, until, limit=None):
        """Turns until that is true, or `limit` seconds have passed; returns whether it became true."""
        end = None if limit is None else time.monotonic() + limit
        while not until():
            if end is not None and time.monotonic() > end:
                return False
            self.turn()
        return True


class Stream:
    """Bytes both ways over one socket."""

    def __init__(self, loop, sock, on_bytes, on_close):
        self.loop, self.sock, self.on_bytes, self.on_close = loop, sock, on_bytes, on_close
        self.output = bytearray()
        sock.setblocking(False)
        loop.watch(sock, self.ready)

    def ready(self, events):
        if events & selectors.EVENT_READ:
            try:
                data = self.sock.recv(1 << 18)
            except BlockingIOError:
                data = None
            except OSError:
                data = b""
            if data == b"":
                return self.closed()
            if data:
                self.on_bytes(data)
        if self.sock is not None and events & selectors.EVENT_WRITE:
            self.flush()

    def write(self, data):
        if self.sock is not None:
            self.output += data
            self.flush()

    def flush(self):
        try:
            sent = self.sock.send(self.output) if self.output else 0
            del self.output[:sent]
        except BlockingIOError:
            pass
        except OSError:
            return self.closed()
        self.loop.watch(self.sock, self.ready, writing=bool(self.output))

    def close(self):
        if self.sock is not None:
            self.loop.forget(self.sock)
            self.sock = None

    def closed(self):
        if self.sock is not None:
            self.close()
            self.on_close()


def text(value):
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def packet(first, body):
    length, size = b"", len(body)
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (0x80 if size else 0)])
        if not size:
            return bytes([first]) + length + body


class Client:
    """Connects, and connects again until it is stopped.

    on_message(topic, payload, qos, dup); on_acknowledged(tag, seconds): PUBACK or PUBREC, after so long.
    """

    WINDOW = 100

    def __init__(self, loop, port, name, filters=(), on_message=None, on_acknowledged=None, pause=0.05, clean=False):
        self.loop, self.port, self.name, self.filters = loop, port, name, filters
        self.on_message, self.on_acknowledged, self.pause, self.clean = on_message, on_acknowledged, pause, clean
        self.stream, self.input = None, bytearray()
        self.connected = self.subscribed = self.had_session = self.stopped = False
        self.connections = self.sessions_lost = 0
        # By packet identifier, in order: [topic, payload, qos, tag, when first sent, whether PUBREC came].
        self.unacknowledged, self.waiting = {}, []
        self.identifier = 0
        self.received = set()
        self.connect()

    # Connecting

    def connect(self):
        if self.stopped or self.stream is not None:
            return
        try:
            sock = socket.create_connection((HOST, self.port), timeout=1)
        except OSError:
            return self.loop.after(self.pause, self.connect)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input.clear()
        self.stream = Stream(self.loop, sock, self.read, self.lost)
        flags = bytes([2 if self.clean else 0])
        self.stream.write(packet(0x10, text("MQTT") + b"\x04" + flags + b"\x00\x1e" + text(self.name)))

    def lost(self):
        self.stream, self.connected = None, False
        self.loop.after(self.pause, self.connect)

    def drop(self, seconds):
        """Goes without a word, and comes back after that time."""
        if self.stream is not None:
            self.stream.close()
            self.stream, self.connected = None, False
            self.loop.after(seconds, self.connect)

    def stop(self):
        self.stopped = True
        if self.stream is not None:
            self.stream.close()
            self.stream, self.connected = None, False

    def ping(self, connection):
        if self.connected and self.connections == connection:
            self.stream.write(b"\xc0\x00")
            self.loop.after(10, lambda: self.ping(connection))

    # Publishing

    @property
    def is_idle(self):
        return not self.unacknowledged and not self.waiting

    def publish(self, topic, payload, qos, tag=None):
        if qos == 0:
            if self.connected:
                self.stream.write(packet(PUBLISH, text(topic) + payload))
            return self.connected
        self.waiting.append((topic, payload, qos, tag))
        self.pump()
        return True

    def pump(self):
        while self.connected and self.waiting and len(self.unacknowledged) < self.WINDOW:
            topic, payload, qos, tag = self.waiting.pop(0)
            while True:
                self.identifier = self.identifier % 65535 + 1
                if self.identifier not in self.unacknowledged:
                    break
            self.unacknowledged[self.identifier] = [topic, payload, qos, tag, time.monotonic(), False]
            self.send(self.identifier, duplicate=False)

    def send(self, identifier, duplicate):
        topic, payload, qos, _, _, answered = self.unacknowledged[identifier]
        if answered:
            return self.stream.write(packet(0x62, identifier.to_bytes(2, "big")))
        first = PUBLISH | qos << 1 | (8 if duplicate else 0)
        self.stream.write(packet(first, text(topic) + identifier.to_bytes(2, "big") + payload))

    def acknowledged(self, entry):
        if self.on_acknowledged is not None:
            self.on_acknowledged(entry[3], time.monotonic() - entry[4])

    # Reading

    def read(self, data):
        self.input += data
        start = 0
        while self.stream is not None:
            length, shift, at = 0, 0, start + 1
            while at < len(self.input) and self.input[at] & 0x80:
                length |= (self.input[at] & 0x7F) << shift
                shift, at = shift + 7, at + 1
            if at >= len(self.input):
                break
            length |= self.input[at] << shift
            at += 1
            if at + length > len(self.input):
                break
            first, body = self.input[start], bytes(self.input[at : at + length])
            start = at + length
            self.receive(first, body)
        if self.stream is not None:
            del self.input[:start]

    def receive(self, first, body):
        kind = first & 0xF0
        if kind == PUBLISH:
            return self.receive_publish(first, body)
        number = int.from_bytes(body[:2], "big")
        if kind == CONNACK:
            if body[1] != 0:
                return
            self.connected, self.connections = True, self.connections + 1
            if self.had_session and not body[0] & 1:
                self.sessions_lost += 1
            self.had_session = True
            if not body[0] & 1:
                self.received.clear()
                if self.filters:
                    wanted = b"".join(text(name) + b"\x02" for name in self.filters)
                    self.stream.write(packet(0x82, b"\x00\x01" + wanted))
            for identifier in list(self.unacknowledged):
                if self.stream is not None:
                    self.send(identifier, duplicate=bool(body[0] & 1))
            connection = self.connections
            self.loop.after(10, lambda: self.ping(connection))
            self.pump()
        elif kind == SUBACK:
            self.subscribed = True
        elif kind == PUBACK:
            entry = self.unacknowledged.pop(number, None)
            if entry is not None:
                self.acknowledged(entry)
            self.pump()
        elif kind == PUBREC:
            entry = self.unacknowledged.get(number)
            if entry is not None and not entry[5]:
                entry[5] = True
                self.acknowledged(entry)
            self.stream.write(packet(0x62, body[:2]))
        elif kind == PUBCOMP:
            self.unacknowledged.pop(number, None)
            self.pump()
        elif kind == PUBREL:
            self.received.discard(number)
            self.stream.write(packet(PUBCOMP, body[:2]))

    def receive_publish(self, first, body):
        qos = first >> 1 & 3
        length = int.from_bytes(body[:2], "big")
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        if qos == 0:
            return self.on_message(topic, rest, 0, False)
        identifier, payload = rest[:2], rest[2:]
        number = int.from_bytes(identifier, "big")
        if qos == 1 or number not in self.received:
            if qos == 2:
                self.received.add(number)
            self.on_message(topic, payload, qos, bool(first & 8))
        if self.stream is not None:
            self.stream.write(packet(PUBACK if qos == 1 else PUBREC, identifier))


class Relay:
    """A link that can be cut: silently, as a mobile network is lost, or by refusing."""

    def __init__(self, loop, port, target):
        self.loop, self.port, self.target = loop, port, target
        self.pairs, self.silent, self.listener = [], False, None
        self.bytes = self.cuts = 0
        self.listen()

    def listen(self):
        self.listener = socket.create_server((HOST, self.port))
        self.listener.setblocking(False)
        self.loop.watch(self.listener, self.accept)

    def accept(self, _):
        near, _ = self.listener.accept()
        far = None
        if not self.silent:
            try:
                far = socket.create_connection((HOST, self.target), timeout=1)
            except OSError:
                return near.close()
        pair = [None, None]
        pair[0] = Stream(self.loop, near, lambda data: self.forward(pair, 1, data), lambda: self.close(pair))
        if far is not None:
            pair[1] = Stream(self.loop, far, lambda data: self.forward(pair, 0, data), lambda: self.close(pair))
        self.pairs.append(pair)

    def forward(self, pair, to, data):
        self.bytes += len(data)
        if not self.silent and pair[to] is not None:
            pair[to].write(data)

    def close(self, pair):
        if pair in self.pairs:
            self.pairs.remove(pair)
        for stream in pair:
            if stream is not None:
                stream.close()

    def cut(self, silently):
        self.cuts += 1
        if silently:
            self.silent = True
            return
        self.loop.forget(self.listener)
        self.listener = None
        for pair in list(self.pairs):
            self.close(pair)

    def restore(self):
        if self.listener is None:
            return self.listen()
        # What was open has lost bytes.
        self.silent = False
        for pair in list(self.pairs):
            self.close(pair)


def free_port():
    """Below those that the kernel gives to outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((HOST, port))
                return port
            except OSError:
                continue
