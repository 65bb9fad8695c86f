"""WebSocket by hand, right and wrong, at a roostd's listener: raw_websocket.py PORT CONNECT_TIMEOUT_SECONDS."""

import socket
import struct
import sys
import time

PORT, CONNECT_TIMEOUT = int(sys.argv[1]), float(sys.argv[2])
PATIENCE = 60
CONNACK = bytes([0x20, 2, 0, 0])
FIELDS = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "mqtt",
    "Origin": "http://dashboard.example",
}


def request(first="GET /mqtt HTTP/1.1", **changes):
    fields = {**FIELDS, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = [first] + [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def frame(opcode, payload=b"", fin=True, masked=True, reserved=0):
    head = bytes([opcode | (0x80 if fin else 0) | reserved])
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", len(payload))
    if not masked:
        return head + payload
    mask = b"\x11\x22\x33\x44"
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def connect_packet(name):
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack(">H", len(name)) + name.encode()
    return bytes([0x10, len(body)]) + body


def publish_packet(topic, payload):
    body = struct.pack(">H", len(topic)) + topic.encode() + payload
    return bytes([0x30, len(body)]) + body


SUBSCRIBE = b"\x82\x08\x00\x01\x00\x03a/#\x00"
SUBACK = b"\x90\x03\x00\x01\x00"


class Peer:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", PORT), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kept = b""

    def send(self, data, piece=None):
        for start in range(0, len(data), piece or len(data)):
            self.socket.sendall(data[start : start + (piece or len(data))])

    def take(self, count):
        while len(self.kept) < count:
            more = self.socket.recv(65536)
            assert more, f"closed after {self.kept!r}"
            self.kept += more
        taken, self.kept = self.kept[:count], self.kept[count:]
        return taken

    def head(self):
        while b"\r\n\r\n" not in self.kept:
            more = self.socket.recv(65536)
            assert more, f"closed after {self.kept!r}"
            self.kept += more
        head, self.kept = self.kept.split(b"\r\n\r\n", 1)
        return head.decode()

    def open(self, piece=None):
        self.send(request(), piece)
        head = self.head()
        assert head.startswith("HTTP/1.1 101 "), head
        assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head, head
        assert "Sec-WebSocket-Protocol: mqtt" in head and "Extensions" not in head, head
        return self

    def frame(self):
        first, second = self.take(2)
        assert not second & 0x80, "a server's frame is masked"
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self.take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self.take(8))
        return first & 0x0F, self.take(length)

    def connect(self, name):
        self.send(frame(2, connect_packet(name)))
        assert self.frame() == (2, CONNACK)
        return self

    def expect_end(self):
        assert not self.kept, self.kept
        try:
            assert self.socket.recv(1) == b""
        except ConnectionResetError:
            pass
        self.socket.close()

    def expect_close(self, code):
        opcode, payload = self.frame()
        assert opcode == 8 and struct.unpack(">H", payload[:2]) == (code,), (opcode, payload, code)
        self.expect_end()


def works():
    """Packets over frames, frames over packets, fragments and pings in between."""
    for piece in (None, 1, 7):
        peer = Peer().open(piece)
        packet = connect_packet("works")
        peer.send(frame(2, packet[:3], fin=False) + frame(9, b"hello"), piece)
        assert peer.frame() == (10, b"hello")
        peer.send(frame(10, b"unasked") + frame(0, packet[3:10], fin=False) + frame(0, packet[10:]), piece)
        assert peer.frame() == (2, CONNACK)
        # Two packets and a half in a frame, the rest in the next.
        packets = SUBSCRIBE + publish_packet("a/1", b"one") + publish_packet("a/2", b"two")
        peer.send(frame(2, packets[:-4]) + frame(2, b"") + frame(2, packets[-4:]), piece)
        expected = SUBACK + publish_packet("a/1", b"one") + publish_packet("a/2", b"two")
        answer = b""
        while len(answer) < len(expected):
            opcode, payload = peer.frame()
            assert opcode == 2
            answer += payload
        assert answer == expected, answer
        large = publish_packet("a/3", b"")[2:]
        body = large + b"x" * 200000
        packet = b"\x30" + bytes([len(body) & 0x7F | 0x80, len(body) >> 7 & 0x7F | 0x80, len(body) >> 14]) + body
        peer.send(frame(2, packet))
        answer = b""
        while len(answer) < len(packet):
            answer += peer.frame()[1]
        assert answer == packet
        # DISCONNECT: the server says Close, and waits for ours.
        peer.send(frame(2, b"\xe0\x00"))
        opcode, payload = peer.frame()
        assert (opcode, payload[:2]) == (8, b"\x03\xe8"), (opcode, payload)
        peer.send(frame(8, payload))
        peer.expect_end()


def closes():
    peer = Peer().open().connect("closes")
    peer.send(frame(8, struct.pack(">H", 1001) + b"leaving"))
    assert peer.frame() == (8, struct.pack(">H", 1001))
    peer.expect_end()


def violations():
    long = bytes(126)
    for name, data, code in [
        ("not masked", frame(2, b"\xc0\x00", masked=False), 1002),
        ("text", frame(1, b"text"), 1003),
        ("a reserved bit", frame(2, b"\xc0\x00", reserved=0x40), 1002),
        ("a reserved opcode", frame(3, b""), 1002),
        ("a reserved control opcode", frame(11, b""), 1002),
        ("a long ping", frame(9, long), 1002),
        ("a ping in fragments", frame(9, b"x", fin=False), 1002),
        ("a continuation of nothing", frame(0, b"x"), 1002),
        ("a message in another", frame(2, b"\xc0", fin=False) + frame(2, b"\x00"), 1002),
        ("a Close of one byte", frame(8, b"\x03"), 1002),
        ("a Close without a code", frame(8, struct.pack(">H", 1005)), 1002),
        ("a frame of 2^60 bytes", b"\x82\xff" + struct.pack(">Q", 1 << 60) + b"1234", 1009),
        ("a frame of 2^63 bytes", b"\x82\xff" + struct.pack(">Q", 1 << 63) + b"1234", 1002),
    ]:
        peer = Peer().open().connect("violates")
        peer.send(data)
        try:
            peer.expect_close(code)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


def refusals():
    for data, status in [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 426),
        (request(Sec_WebSocket_Version="8"), 426),
        (request("POST /mqtt HTTP/1.1"), 405),
        (request(Sec_WebSocket_Key="short"), 400),
        (request(Sec_WebSocket_Protocol=None), 400),
        (request(Sec_WebSocket_Protocol="soap"), 400),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 10000, 431),
        (request("GET /mqtt HTTP/1.0"), 505),
    ]:
        peer = Peer()
        peer.send(data)
        head = peer.head()
        assert head.startswith(f"HTTP/1.1 {status} "), (data, head)
        assert status != 426 or "Sec-WebSocket-Version: 13" in head, head
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        assert len(peer.take(length)) > 5
        peer.expect_end()


def slow():
    """A handshake that dribbles in, or never ends, is bounded as CONNECT is."""
    begun = time.monotonic()
    peers = [Peer(), Peer(), Peer().open()]
    peers[1].send(request()[:-2])
    for peer in peers:
        try:
            while peer.socket.recv(1):
                pass
        except ConnectionResetError:
            pass
        assert time.monotonic() - begun >= CONNECT_TIMEOUT * 0.9, "closed before its time"


for check in (works, closes, violations, refusals, slow, works):
    check()
