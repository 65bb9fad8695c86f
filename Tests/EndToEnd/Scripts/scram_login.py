"""A client that logs in by SCRAM-SHA-256 as MQTT 5's enhanced authentication: RFC 5802 with Python's own hashes.

scram_login.py PORT USER PASSWORD TOPIC

Logs in, receives what it publishes itself, shows again who it is, does the same once more, and leaves. Exits with 0, or with
the Reason Code that it was refused with.
"""

import base64
import hashlib
import hmac
import os
import socket
import sys

METHOD = b"SCRAM-SHA-256"
CONNECT, CONNACK, PUBLISH, SUBSCRIBE, SUBACK, DISCONNECT, AUTH = 0x10, 0x20, 0x30, 0x82, 0x90, 0xE0, 0xF0


def string(text):
    return len(text).to_bytes(2, "big") + text


def length(number):
    encoded = b""
    while True:
        number, digit = number >> 7, number & 0x7F
        encoded += bytes([digit | (0x80 if number else 0)])
        if not number:
            return encoded


def properties(data):
    inside = b"\x15" + string(METHOD) + b"\x16" + string(data)
    return length(len(inside)) + inside


def digest(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.kept = b""

    def send(self, kind, body):
        self.socket.sendall(bytes([kind]) + length(len(body)) + body)

    def bytes(self, count):
        while len(self.kept) < count:
            more = self.socket.recv(65536)
            if not more:
                sys.exit("closed")
            self.kept += more
        taken, self.kept = self.kept[:count], self.kept[count:]
        return taken

    def packet(self):
        kind, size, shift = self.bytes(1)[0], 0, 0
        while True:
            digit = self.bytes(1)[0]
            size |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return kind, self.bytes(size)

    def expect(self, kind):
        found, body = self.packet()
        if found == DISCONNECT:
            sys.exit(body[0])
        assert found == kind, (hex(found), body)
        return body

    def authentication(self, body):
        """The Authentication Data, after a check of the method."""
        size, rest, data, method = body[0], body[1:], None, None
        assert size < 0x80
        rest = rest[:size]
        widths = {0x11: 4, 0x21: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x22: 2, 0x28: 1, 0x29: 1, 0x2A: 1, 0x13: 2}
        while rest:
            name, rest = rest[0], rest[1:]
            if name in widths:
                rest = rest[widths[name]:]
                continue
            count = int.from_bytes(rest[:2], "big")
            value, rest = rest[2:2 + count], rest[2 + count:]
            if name == 0x26:
                count = int.from_bytes(rest[:2], "big")
                rest = rest[2 + count:]
            method = value if name == 0x15 else method
            data = value if name == 0x16 else data
        assert method == METHOD, method
        return data

    def first(self, user):
        self.nonce = base64.b64encode(os.urandom(18))
        self.bare = b"n=" + user.replace(b"=", b"=3D").replace(b",", b"=2C") + b",r=" + self.nonce
        return b"n,," + self.bare

    def final(self, challenge, password):
        fields = dict(field.split(b"=", 1) for field in challenge.split(b","))
        assert fields[b"r"].startswith(self.nonce) and len(fields[b"r"]) > len(self.nonce)
        salted = hashlib.pbkdf2_hmac("sha256", password, base64.b64decode(fields[b"s"]), int(fields[b"i"]))
        key = digest(salted, b"Client Key")
        without = b"c=biws,r=" + fields[b"r"]
        message = self.bare + b"," + challenge + b"," + without
        signature = digest(hashlib.sha256(key).digest(), message)
        proof = bytes(a ^ b for a, b in zip(key, signature))
        self.server = digest(digest(salted, b"Server Key"), message)
        return without + b",p=" + base64.b64encode(proof)

    def challenged(self, password):
        """Answers the challenge; the body of what ends the exchange."""
        kind, body = self.packet()
        if kind == CONNACK:
            sys.exit(body[1])
        assert kind == AUTH and body[0] == 0x18, (hex(kind), body)
        self.send(AUTH, b"\x18" + properties(self.final(self.authentication(body[1:]), password)))

    def check(self, data):
        assert data == b"v=" + base64.b64encode(self.server), "the server does not know the user"


def main():
    port, user, password, topic = int(sys.argv[1]), *(argument.encode() for argument in sys.argv[2:5])
    client = Client(port)
    client.send(
        CONNECT, string(b"MQTT") + bytes([5, 2, 0, 60]) + properties(client.first(user)) + string(b"scram"))
    client.challenged(password)
    body = client.expect(CONNACK)
    if body[1]:
        sys.exit(body[1])
    client.check(client.authentication(body[2:]))

    client.send(SUBSCRIBE, b"\x00\x01\x00" + string(topic) + b"\x00")
    assert client.expect(SUBACK)[-1] == 0
    client.send(PUBLISH, string(topic) + b"\x00" + b"one")
    assert client.expect(PUBLISH).endswith(b"one")

    client.send(AUTH, b"\x19" + properties(client.first(user)))
    client.challenged(password)
    body = client.expect(AUTH)
    assert body[0] == 0
    client.check(client.authentication(body[1:]))
    client.send(PUBLISH, string(topic) + b"\x00" + b"two")
    assert client.expect(PUBLISH).endswith(b"two")
    client.send(DISCONNECT, b"")


main()
