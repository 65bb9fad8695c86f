"""Clients behind a proxy, by hand: proxy_header.py VERSION PORT TLS_PORT AUTHORITY ROOST SOCKET.

The listeners at both ports take PROXY headers, that at TLS_PORT in front of TLS.
"""

import json
import socket
import ssl
import struct
import subprocess
import sys

VERSION, PORT, TLS_PORT = (int(word) for word in sys.argv[1:4])
AUTHORITY, ROOST, SOCKET = sys.argv[4:7]
PATIENCE = 60
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
MORE = b"\x02\x00\x03abc"


def binary(command, family, body):
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack(">H", len(body)) + body


def header(family, source):
    """For a client at `source`, port 51234."""
    if VERSION == 1:
        other = {"TCP4": "198.51.100.1", "TCP6": "2001:db8::9"}[family]
        return f"PROXY {family} {source} {other} 51234 1883\r\n".encode()
    kind = socket.AF_INET if family == "TCP4" else socket.AF_INET6
    address = socket.inet_pton(kind, source)
    ports = struct.pack(">HH", 51234, 1883)
    return binary(1, 0x11 if family == "TCP4" else 0x21, address + address + ports + MORE)


def own():
    """The proxy's own connections: a health check, or a client that it doesn't know."""
    if VERSION == 1:
        return [b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN what it says here\r\n"]
    return [binary(0, 0, b""), binary(0, 0x11, bytes(12)), binary(1, 0, MORE), binary(1, 0x31, bytes(216))]


def connect(name):
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack(">H", len(name)) + name.encode()
    return bytes([0x10, len(body)]) + body


def take(peer, count):
    taken = b""
    while len(taken) < count:
        more = peer.recv(count - len(taken))
        assert more, f"closed after {taken!r}"
        taken += more
    return taken


def dial(port=PORT):
    peer = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def address(name):
    clients = json.loads(subprocess.run(
        [ROOST, "clients", "--json", "--socket", SOCKET], check=True, capture_output=True, timeout=PATIENCE).stdout)
    return {client["id"]: client["address"] for client in clients}[name]


def expect(name, first, expected, pieces=1):
    peer = dial()
    data = first + connect(name)
    for start in range(0, len(data), max(1, len(data) // pieces)):
        peer.sendall(data[start : start + max(1, len(data) // pieces)])
    assert take(peer, 4) == b"\x20\x02\x00\x00"
    found = address(name)
    assert expected(found), (name, found)
    peer.close()


expect("four", header("TCP4", "192.0.2.7"), lambda found: found == "192.0.2.7:51234")
expect("six", header("TCP6", "2001:db8::7"), lambda found: found == "[2001:db8::7]:51234")
expect("bytewise", header("TCP4", "192.0.2.8"), lambda found: found == "192.0.2.8:51234", pieces=1000)
for number, data in enumerate(own()):
    expect(f"own-{number}", data, lambda found: found.startswith("127.0.0.1:"))

# TLS after the header, and WebSocket in it.
context = ssl.create_default_context(cafile=AUTHORITY)
plain = dial(TLS_PORT)
plain.sendall(header("TCP4", "192.0.2.9"))
secure = context.wrap_socket(plain, server_hostname="localhost")
secure.sendall(
    b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
head = b""
while not head.endswith(b"\r\n\r\n"):
    head += take(secure, 1)
assert head.startswith(b"HTTP/1.1 101 "), head
packet = connect("secure")
secure.sendall(bytes([0x82, 0x80 | len(packet), 0, 0, 0, 0]) + packet)
assert take(secure, 6) == b"\x82\x04\x20\x02\x00\x00"
assert address("secure") == "192.0.2.9:51234", address("secure")
secure.close()

# Without a header, or with a wrong one.
wrong = b"PROXY TCP4 1.2.3 4.5.6.7 8 9\r\n" if VERSION == 1 else binary(1, 0x11, b"short")
other = binary(0, 0, b"") if VERSION == 1 else b"PROXY UNKNOWN\r\n"
for data in (connect("bare"), wrong, other, b"GET / HTTP/1.1\r\n\r\n"):
    peer = dial()
    peer.sendall(data)
    try:
        assert peer.recv(100) == b"", data
    except ConnectionResetError:
        pass
    peer.close()
