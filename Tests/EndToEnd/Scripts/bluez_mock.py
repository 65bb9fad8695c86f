#!/usr/bin/python3
"""A simulated BlueZ, with devices that advertise and hold characteristics: python-dbusmock's `bluez5` template and what that lacks.

bluez_mock.py                    obeys standard input: a JSON document a line, {"do": "advertise", ...}; tells on standard output what
                                 is done to it. On the bus of DBUS_SYSTEM_BUS_ADDRESS.
bluez_mock.py --demo DIRECTORY   starts a bus of its own at DIRECTORY/bus, with a thermometer that advertises every second and a lamp
                                 that can be connected to; stays until Ctrl-C.

Needs Debian's python3-dbusmock and dbus-daemon; run by the system's Python.
"""

import json
import os
import sys
import time

import dbus
import dbus.mainloop.glib
from dbusmock import mockobject
from gi.repository import GLib

import private_bus

DEVICE = "org.bluez.Device1"
ADAPTER = "org.bluez.Adapter1"
SERVICE = "org.bluez.GattService1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
MANAGER = "org.freedesktop.DBus.ObjectManager"
MOCK = "org.bluez.Mock"


def tell(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def octets(text):
    return dbus.Array([dbus.Byte(byte) for byte in bytes.fromhex(text)], signature="y")


class Mock:
    def __init__(self):
        self.bus = dbus.SystemBus()
        name = dbus.service.BusName("org.bluez", bus=self.bus, replace_existing=True, allow_replacement=True,
                                    do_not_queue=True)
        self.main = mockobject.DBusMockObject(name, "/", MOCK, {}, os.devnull, True)
        self.main.AddTemplate("bluez5", None)
        mockobject.objects["/"] = self.main
        self.names = {}
        self.refuse = {}
        self.started = 0

    # What a line of standard input may ask for.

    def adapter(self, name="hci0", powered=True):
        adapter = mockobject.objects[self.main.AddAdapter(name, "simulated")]
        adapter.props[ADAPTER]["Powered"] = dbus.Boolean(powered)

    def remove_adapter(self, name="hci0"):
        self.main.RemoveAdapterWithDevices(name)

    def power(self, on, name="hci0"):
        adapter = mockobject.objects[f"/org/bluez/{name}"]
        changes = {"Powered": dbus.Boolean(on)}
        if not on:
            changes["Discovering"] = dbus.Boolean(False)
        adapter.UpdateProperties(ADAPTER, changes)

    def filter(self, name="hci0"):
        """What was asked of the scan."""
        props = mockobject.objects[f"/org/bluez/{name}"].props[ADAPTER]
        asked = {str(key): str(value) for key, value in (props.get("DiscoveryFilter") or {}).items()}
        tell("filter", filter=asked, discovering=bool(props["Discovering"]))

    def path(self, address):
        return "/org/bluez/hci0/dev_" + address.replace(":", "_")

    def device(self, address, name="", advertisement=None):
        path = self.path(address)
        if path in mockobject.objects:
            return mockobject.objects[path]
        properties = {
            "Address": dbus.String(address), "AddressType": dbus.String("random"),
            "Alias": dbus.String(name or address.replace(":", "-")), "Paired": dbus.Boolean(False),
            "Connected": dbus.Boolean(False), "ServicesResolved": dbus.Boolean(False),
            "Adapter": dbus.ObjectPath("/org/bluez/hci0"), **(advertisement or {}),
        }
        if name:
            properties["Name"] = dbus.String(name)
        self.main.AddObject(path, DEVICE, properties, [
            ("Connect", "", "", lambda device: self.connect(address)),
            ("Disconnect", "", "", lambda device: self.drop(address)),
        ])
        self.main.EmitSignal(MANAGER, "InterfacesAdded", "oa{sa{sv}}", [dbus.ObjectPath(path), {DEVICE: properties}])
        return mockobject.objects[path]

    def properties(self, rssi, service, manufacturer):
        properties = {}
        if rssi is not None:
            properties["RSSI"] = dbus.Int16(rssi)
        if service:
            properties["ServiceData"] = dbus.Dictionary(
                {uuid if len(uuid) > 4 else f"0000{uuid}-0000-1000-8000-00805f9b34fb": octets(data)
                 for uuid, data in service.items()}, signature="sv")
        if manufacturer:
            properties["ManufacturerData"] = dbus.Dictionary(
                {dbus.UInt16(int(company)): octets(data) for company, data in manufacturer.items()}, signature="qv")
        return properties

    def advertise(self, address, name="", rssi=-60, service=None, manufacturer=None):
        properties = self.properties(rssi, service, manufacturer)
        if self.path(address) not in mockobject.objects:
            self.device(address, name, properties)
            return
        device = mockobject.objects[self.path(address)]
        device.EmitSignal(dbus.PROPERTIES_IFACE, "PropertiesChanged", "sa{sv}as", [DEVICE, properties, []])

    def burst(self, address, count, rate, beside=0):
        """`count` different BTHome counts of one device, `rate` a second, each with `beside` advertisements of others."""
        others = [f"E0:00:00:00:00:{number:02X}" for number in range(50)]
        begin = time.monotonic()
        sent = 0
        for number in range(count):
            self.advertise(address, service={"fcd2": "403e" + number.to_bytes(4, "little").hex()})
            sent += 1
            for place in range(beside):
                self.advertise(others[(number + place) % 50], manufacturer={"76": f"1005{number % 65536:04x}"})
                sent += 1
            ahead = sent / rate - (time.monotonic() - begin)
            if ahead > 0.01:
                time.sleep(ahead)
        tell("burst", sent=sent, seconds=time.monotonic() - begin)

    def gatt(self, address, characteristics, name="", service="0000180f-0000-1000-8000-00805f9b34fb"):
        """`characteristics`: {uuid: hex}."""
        device = self.device(address, name, {"RSSI": dbus.Int16(-50)})
        device.gatt = (service, dict(characteristics))
        device.values = dict(characteristics)

    def refusing(self, address, error="", times=1):
        """Its next connects fail."""
        self.refuse[address] = [error or "le-connection-abort-by-local"] * times

    def connect(self, address):
        tell("connect", address=address)
        if self.refuse.get(address):
            raise dbus.exceptions.DBusException(self.refuse[address].pop(), name="org.bluez.Error.Failed")
        device = mockobject.objects[self.path(address)]
        device.UpdateProperties(DEVICE, {"Connected": dbus.Boolean(True)})
        # As bluetoothd does: connected first, then the services, then that they are all.
        GLib.timeout_add(20, self.resolve, address)

    def resolve(self, address):
        device = mockobject.objects[self.path(address)]
        if not hasattr(device, "gatt"):
            device.gatt = ("0000180f-0000-1000-8000-00805f9b34fb", {})
            device.values = {}
        service, characteristics = device.gatt
        service_path = self.path(address) + "/service0010"
        self.put(service_path, SERVICE, {"UUID": dbus.String(service), "Device": dbus.ObjectPath(self.path(address))}, [])
        for number, uuid in enumerate(characteristics):
            self.put(f"{service_path}/char{0x11 + number:04x}", CHARACTERISTIC,
                     {"UUID": dbus.String(uuid), "Service": dbus.ObjectPath(service_path)}, [
                         ("ReadValue", "a{sv}", "ay", self.reader(address, uuid)),
                         ("WriteValue", "aya{sv}", "", self.writer(address, uuid)),
                         ("StartNotify", "", "", lambda item: tell("notify", address=address)),
                     ])
        device.UpdateProperties(DEVICE, {"ServicesResolved": dbus.Boolean(True)})
        return False

    def put(self, path, interface, properties, methods):
        if path in mockobject.objects:
            return
        self.main.AddObject(path, interface, properties, methods)
        self.main.EmitSignal(MANAGER, "InterfacesAdded", "oa{sa{sv}}",
                             [dbus.ObjectPath(path), {interface: properties}])

    def reader(self, address, uuid):
        def read(_item, _options):
            tell("read", address=address, uuid=uuid)
            return octets(mockobject.objects[self.path(address)].values[uuid])
        return read

    def writer(self, address, uuid):
        def write(_item, value, _options):
            data = bytes(int(byte) for byte in value).hex()
            tell("write", address=address, uuid=uuid, bytes=data)
            if data == "ff":
                raise dbus.exceptions.DBusException("Write not permitted", name="org.bluez.Error.NotPermitted")
            mockobject.objects[self.path(address)].values[uuid] = data
        return write

    def value(self, address, uuid, bytes):
        """The device has it otherwise from now on, and notifies."""
        mockobject.objects[self.path(address)].values[uuid] = bytes
        number = list(mockobject.objects[self.path(address)].gatt[1]).index(uuid)
        item = mockobject.objects[f"{self.path(address)}/service0010/char{0x11 + number:04x}"]
        item.EmitSignal(dbus.PROPERTIES_IFACE, "PropertiesChanged", "sa{sv}as",
                        [CHARACTERISTIC, {"Value": octets(bytes)}, []])

    def drop(self, address):
        """The connection ends."""
        tell("disconnect", address=address)
        mockobject.objects[self.path(address)].UpdateProperties(
            DEVICE, {"Connected": dbus.Boolean(False), "ServicesResolved": dbus.Boolean(False)})

    def obey(self, line):
        request = json.loads(line)
        getattr(self, request.pop("do"))(**request)


def obey_standard_input(mock, loop):
    buffer = bytearray()

    def ready(descriptor, _condition):
        data = os.read(descriptor, 65536)
        if not data:
            loop.quit()
            return False
        buffer.extend(data)
        while b"\n" in buffer:
            line, _, rest = bytes(buffer).partition(b"\n")
            buffer[:] = rest
            mock.obey(line)
        return True

    GLib.io_add_watch(0, GLib.IO_IN | GLib.IO_HUP, ready)


def demo(directory):
    os.makedirs(directory, exist_ok=True)
    daemon, address = private_bus.start(directory), private_bus.address(directory)
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = address
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    mock = Mock()
    mock.adapter()
    mock.gatt("C0:FF:EE:00:00:02", {"00002a19-0000-1000-8000-00805f9b34fb": "64",
                                    "0000fff1-0000-1000-8000-00805f9b34fb": "00"}, "Lamp")
    turn = 0

    def tick():
        nonlocal turn
        turn += 1
        temperature = (2150 + turn % 50).to_bytes(2, "little").hex()
        mock.advertise("A4:C1:38:00:11:22", "ATC_001122", -60 - turn % 5,
                       service={"fcd2": f"4000{turn % 256:02x}0161" + f"02{temperature}03bf13"})
        mock.advertise("C0:FF:EE:00:00:02", "Lamp", -50)
        return True

    GLib.timeout_add(1000, tick)
    print(f"a thermometer and a lamp are on the bus\n  export DBUS_SYSTEM_BUS_ADDRESS={address}\nCtrl-C ends them.",
          flush=True)
    try:
        GLib.MainLoop().run()
    except KeyboardInterrupt:
        pass
    daemon.terminate()


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--demo":
        demo(sys.argv[2])
        return
    if len(sys.argv) != 1:
        sys.exit(__doc__)
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    loop = GLib.MainLoop()
    mock = Mock()
    obey_standard_input(mock, loop)
    tell("ready")
    loop.run()


if __name__ == "__main__":
    main()
