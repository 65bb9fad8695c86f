"""A Modbus server that does everything wrong that servers do: `tcp|rtu PORT SEED COUNT`.

Units 1 and 2 hold 1000 + address and 5000 + address in their holding registers. The first COUNT requests may be answered late,
not at all, in pieces, joined, for another unit or transaction, with a wrong check, or by closing the connection; those after
them rightly. A line `good` says when.
"""

import asyncio
import random
import struct
import sys

kind, port, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
chance = random.Random(seed)


def check(data):
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


def frame(unit, pdu, transaction):
    if kind == "rtu":
        return bytes([unit]) + pdu + check(bytes([unit]) + pdu)
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


def answer(unit, pdu):
    function, start, places = struct.unpack(">BHH", pdu[:5])
    if function != 3 or unit not in (1, 2):
        return bytes([function | 0x80, 1])
    base = 1000 if unit == 1 else 5000
    return struct.pack(f">BB{places}H", 3, 2 * places, *(base + start + place for place in range(places)))


async def request(reader):
    if kind == "rtu":
        data = await reader.readexactly(8)
        return data[0], data[1:6], 0
    head = await reader.readexactly(7)
    transaction, _, length, unit = struct.unpack(">HHHB", head)
    return unit, await reader.readexactly(length - 1), transaction


async def late(writer, data, seconds):
    await asyncio.sleep(seconds)
    writer.write(data)


async def serve(reader, writer):
    global count
    try:
        while True:
            unit, pdu, transaction = await request(reader)
            good = frame(unit, answer(unit, pdu), transaction)
            wrong = frame(3 - unit if unit in (1, 2) else 1, bytes([3, 2, 0xDE, 0xAD]), transaction)
            count -= 1
            if count == 0:
                print("good", flush=True)
            deed = chance.randrange(14) if count > 0 else -1
            if deed == 0:
                continue
            if deed == 1:
                asyncio.ensure_future(late(writer, good, chance.uniform(0.05, 0.9)))
            elif deed == 2 and kind == "rtu":
                place = chance.randrange(len(good))
                writer.write(good[:place] + bytes([good[place] ^ 1 << chance.randrange(8)]) + good[place + 1:])
            elif deed == 3:
                for place in range(0, len(good), 3):
                    writer.write(good[place:place + 3])
                    await writer.drain()
                    await asyncio.sleep(0.005)
            elif deed == 4:
                writer.close()
                return
            elif deed == 5:
                writer.write(wrong + good)
            elif deed == 6 and kind == "tcp":
                writer.write(frame(unit, bytes([3, 2, 0xDE, 0xAD]), transaction - 1 & 0xFFFF))
            elif deed == 7:
                writer.write(good[:4])
            elif deed == 8:
                writer.write(good + good)
            else:
                writer.write(good)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
