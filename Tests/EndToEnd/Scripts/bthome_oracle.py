"""Holds `roost-bluetooth decode` against bthome-ble, which Home Assistant reads BTHome with.

bthome_oracle.py ROOST_BLUETOOTH [COUNT] [SEED]

Makes COUNT advertisements: objects of every known kind with any values, in any order, cut short, with bits changed, encrypted
with the right key, a wrong one, none; both programs have to say the same, or both nothing. Exits with 0 if they do.
"""

import json
import logging
import random
import subprocess
import sys
from unittest import mock

from bthome_ble import parser as bthome
from bthome_ble.const import MEAS_TYPES
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from habluetooth import BluetoothServiceInfoBleak

logging.disable(logging.CRITICAL)

UUID = "0000fcd2-0000-1000-8000-00805f9b34fb"
# Our names, where they are others than bthome-ble's: each of ours means one thing.
NAMES = {
    "power_on": "power", "battery_low": "battery", "gas_detected": "gas", "moisture_detected": "moisture",
    "generic": "generic", "tvoc": "volatile_organic_compounds", "volume_flow_rate": "volume_flow_rate",
}
UNITS = {"mbar": "hPa"}


class Reference(bthome.BTHomeBluetoothDeviceData):
    """Everything that is told, in its order, whatever overwrites what."""

    def decode(self, address, data):
        self.said = []
        info = mock.create_autospec(BluetoothServiceInfoBleak, instance=True)
        info.name, info.address, info.rssi, info.time = "x", address, -60, 0.0
        info.service_data, info.manufacturer_data, info.service_uuids = {UUID: data}, {}, [UUID]
        self._start_update(info)
        return self.said

    def update_sensor(self, key, native_unit_of_measurement, native_value, device_class, name=None):
        if str(device_class) == "packet_id":
            return
        self.said.append((key, native_value, native_unit_of_measurement))

    def update_binary_sensor(self, key, native_value, device_class=None, name=None):
        self.said.append((key, native_value, None))

    def fire_event(self, key, event_type, event_properties=None, name=None):
        self.said.append((key, event_type, None))
        for name, value in (event_properties or {}).items():
            if value != "":
                self.said.append((key + "." + name, value, None))


def some_object(chance):
    identifier = chance.choice(list(MEAS_TYPES))
    kind = MEAS_TYPES[identifier]
    if kind.data_format in ("raw", "string"):
        length = chance.randrange(0, 8)
        letters = "aé€😀z0 "
        content = "".join(chance.choice(letters) for _ in range(length)).encode()
        if kind.data_format == "raw" or chance.random() < 0.2:
            content = chance.randbytes(length)
        return bytes([identifier, len(content)]) + content
    if kind.data_format == "command":
        count = chance.randrange(0, 4)
        return bytes([identifier, count | chance.choice([0, 0, 0x20, 0xE0]), chance.randrange(0, 7)]) + chance.randbytes(count)
    if identifier in (0x3A, 0x3C):
        return bytes([identifier, chance.choice([0, 1, 2, 3, 4, 5, 6, 7, 0x80, 0x81])]) + \
            chance.randbytes(kind.data_length - 1)
    return bytes([identifier]) + chance.choice([
        chance.randbytes(kind.data_length), b"\0" * kind.data_length, b"\xff" * kind.data_length,
        b"\0" * (kind.data_length - 1) + b"\x80"])


def advertisement(chance):
    address = ":".join(f"{byte:02X}" for byte in chance.randbytes(6))
    objects = [some_object(chance) for _ in range(chance.randrange(0, 6))]
    # Most devices sort them; nobody has to.
    if chance.random() < 0.7:
        objects.sort(key=lambda item: item[0])
    payload = b"".join(objects)
    if chance.random() < 0.1:
        payload += chance.randbytes(chance.randrange(0, 4))
    if chance.random() < 0.1:
        payload = payload[:chance.randrange(0, len(payload) + 1)]
    information, inside, key = 0x40 | chance.choice([0, 0, 4]), b"", None
    if chance.random() < 0.2:
        information |= 2
        inside = chance.choice([bytes.fromhex(address.replace(":", ""))[::-1], chance.randbytes(6)])
    if chance.random() < 0.3:
        information |= 1
        key = chance.randbytes(16)
        counter = chance.randbytes(4)
        sender = inside[::-1] or bytes.fromhex(address.replace(":", ""))
        nonce = sender + b"\xd2\xfc" + bytes([information]) + counter
        sealed = AESCCM(key, tag_length=4).encrypt(nonce, payload, None) if payload else chance.randbytes(4)
        payload = sealed[:-4] + counter + sealed[-4:]
        key = chance.choice([key, key, key, key, chance.randbytes(16), None])
    elif chance.random() < 0.05:
        key = chance.randbytes(16)
    data = bytearray(bytes([information]) + inside + payload)
    if chance.random() < 0.1:
        data[chance.randrange(0, len(data))] ^= 1 << chance.randrange(0, 8)
    return address, bytes(data), key


def reference(address, data, key):
    try:
        return Reference(bindkey=key).decode(address, data)
    except (IndexError, ValueError, OverflowError):
        return []


def ours(answer):
    """In the words of the reference."""
    if "error" in answer:
        return []
    said = []
    for item in answer["values"]:
        name, value, unit = item["name"], item["value"], item.get("unit")
        if name.startswith(("device_type_id", "firmware_version")):
            continue
        base, number = name, ""
        if name[-2:-1] == "_" and name[-1].isdigit():
            base, number = name[:-2], name[-1]
        said.append((base, number, value, unit))
    return said


def same(reference_item, our_item):
    key, value, unit = reference_item
    base, number, our_value, our_unit = our_item
    property_name = ""
    if "." in key:
        key, property_name = key.split(".")
    if key[-2:-1] == "_" and key[-1].isdigit():
        key = key[:-2]
    if property_name:
        key += {"steps": "_steps", "args": "_arguments"}[property_name]
    expected = NAMES.get(base, base)
    names = {"carbon_monoxide": ("co", "carbon_monoxide"), "co2": ("carbon_dioxide", "co2"), "illuminance": ("light", "illuminance"),
             "power_on": ("power",), "timestamp": ("timestamp",)}
    if key != expected and key not in names.get(base, ()):
        return False
    if hasattr(value, "timestamp"):
        value = value.timestamp()
    if property_name == "" and base == "timestamp":
        return our_value == value
    if isinstance(value, bool) or isinstance(our_value, bool):
        return value is our_value
    if isinstance(value, (int, float)) and isinstance(our_value, (int, float)):
        # The reference rounds steps of 0.35 degrees to tenths.
        precise = abs(value - our_value) < 1e-9 or (base == "temperature" and abs(value - our_value) <= 0.0500001
                                                    and round(our_value / 0.35, 6) % 1 == 0)
        return precise and (UNITS.get(unit, unit) or None) == our_unit if base != "timestamp" else precise
    return value == our_value


def main():
    program = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 4000
    chance = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    inputs = [advertisement(chance) for _ in range(count)]
    lines = "".join(
        f"{address} service:fcd2 {data.hex()}{' ' + key.hex() if key else ''}\n" for address, data, key in inputs)
    answers = subprocess.run([program, "decode"], input=lines, capture_output=True, text=True, check=True).stdout
    answers = [json.loads(line) for line in answers.splitlines()]
    assert len(answers) == count, f"{len(answers)} answers to {count} lines"
    differing, speaking, values = 0, 0, 0
    for (address, data, key), answer in zip(inputs, answers):
        theirs, mine = reference(address, data, key), ours(answer)
        speaking += bool(theirs)
        values += len(theirs)
        if len(theirs) != len(mine) or not all(same(a, b) for a, b in zip(theirs, mine)):
            differing += 1
            if differing <= 10:
                print(f"{address} {data.hex()} key={key.hex() if key else None}\n  bthome-ble: {theirs}\n  roost:      {answer}")
    print(f"{count} advertisements, {speaking} with {values} values, {differing} differ")
    sys.exit(1 if differing else 0)


main()
