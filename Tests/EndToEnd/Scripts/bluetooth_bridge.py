"""roost-bluetooth between a simulated BlueZ on a bus of its own and a broker, as roostd would run it: its table on standard input,
the broker on descriptor 3.

bluetooth_bridge.py ROOST_BLUETOOTH PORT SCENARIO

Needs paho-mqtt 2 here, and Debian's python3-dbusmock and dbus-daemon for the simulation (bluez_mock.py). Exits with 0 if all that
was promised came true.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import paho.mqtt.client as mqtt

import private_bus

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 60
THERMOMETER = "A4:C1:38:00:11:22"
LAMP = "C0:FF:EE:00:00:02"
BATTERY = "00002a19-0000-1000-8000-00805f9b34fb"
LIGHT = "0000fff1-0000-1000-8000-00805f9b34fb"


class Failure(Exception):
    pass


class Lines:
    """What a program writes, line by line, to wait for."""

    def __init__(self, stream):
        self.lines = []
        self.changed = threading.Condition()
        threading.Thread(target=self.read, args=(stream,), daemon=True).start()

    def read(self, stream):
        for line in stream:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()

    def wait(self, what, since=0, patience=PATIENCE):
        """The first line from number `since` on for which `what` is true; (its number + 1, the line)."""
        end = time.monotonic() + patience
        with self.changed:
            while True:
                for number in range(since, len(self.lines)):
                    if what(self.lines[number]):
                        return number + 1, self.lines[number]
                if not self.changed.wait(end - time.monotonic()) and time.monotonic() >= end:
                    raise Failure("waited in vain; there were: " + "\n  ".join([""] + self.lines[since:][-30:]))


class Air:
    """The bus, and BlueZ on it."""

    def __init__(self, directory):
        self.directory = directory
        self.environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": private_bus.address(directory)}
        self.daemon = self.mock = None

    def start_bus(self):
        self.daemon = private_bus.start(self.directory)

    def start_bluez(self):
        self.mock = subprocess.Popen(
            ["/usr/bin/python3", f"{HERE}/bluez_mock.py"], env=self.environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.events = Lines(self.mock.stdout)
        self.events.wait(lambda line: '"ready"' in line)

    def do(self, what, **more):
        self.mock.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self.mock.stdin.flush()

    def wait(self, event, since=0, **more):
        def fits(line):
            told = json.loads(line)
            return told["event"] == event and all(told.get(key) == value for key, value in more.items())
        number, line = self.events.wait(fits, since)
        return number, json.loads(line)

    def stop_bluez(self):
        self.mock.kill()
        self.mock.wait()

    def end(self):
        for process in (self.mock, self.daemon):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()


class Listener:
    """All that is published, as lines "topic = payload"."""

    def __init__(self, port):
        self.lines = []
        self.retained = {}
        self.changed = threading.Condition()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.client.max_queued_messages_set(0)
        self.client.on_message = self.message
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_connect = lambda client, *_: client.subscribe([("bluetooth/#", 1), ("$hw/#", 1)])
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        if not subscribed.wait(PATIENCE):
            raise Failure("no SUBACK")

    def message(self, _client, _data, message):
        with self.changed:
            self.lines.append(f"{message.topic} = {message.payload.decode()}")
            self.changed.notify_all()

    wait = Lines.wait

    def topic(self, topic, payload=None, since=0):
        return self.wait(
            lambda line: line.startswith(f"{topic} = ") and (payload is None or line == f"{topic} = {payload}"), since)


class Bridge:
    def __init__(self, program, port, air, table):
        self.connection = socket.create_connection(("127.0.0.1", port))
        environment = {**air.environment, "ROOST_MODULE": "ble", "ROOST_NODE": "n", "ROOST_MQTT_FD": "3"}

        def arrange():
            os.dup2(self.connection.fileno(), 3)
            os.set_inheritable(3, True)
        self.process = subprocess.Popen(
            [program], env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=arrange,
            pass_fds=[3] if self.connection.fileno() == 3 else [], close_fds=False)
        self.process.stdin.write(json.dumps({"format": "plain", **table}))
        self.process.stdin.close()
        self.log = Lines(self.process.stderr)
        self.connection.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(PATIENCE) != 0:
            raise Failure(f"exit code {self.process.returncode}")

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Stage:
    def __init__(self, program, port, directory):
        self.program, self.port = program, port
        self.air = Air(directory)
        self.bridges = []
        self.listener = Listener(port)

    def bridge(self, **table):
        self.bridges.append(Bridge(self.program, self.port, self.air, table))
        return self.bridges[-1]

    def start(self, **table):
        self.air.start_bus()
        self.air.start_bluez()
        self.air.do("adapter")
        bridge = self.bridge(**table)
        bridge.log.wait(lambda line: "listening on hci0" in line)
        return bridge

    def end(self):
        for bridge in self.bridges:
            bridge.end()
        self.air.end()


# Scenarios


def advertisements(stage):
    """Advertisements become messages, duplicates don't; devices come and go."""
    bridge = stage.start(rssi=True, timeout="2s", device=[{"address": THERMOMETER, "name": "fridge"}])
    air, heard = stage.air, stage.listener
    air.do("filter")
    _, told = air.wait("filter")
    assert told["discovering"] and told["filter"] == {"Transport": "le", "DuplicateData": "1"}, told
    heard.topic("bluetooth/hci0/state", "online")

    air.do("advertise", address=THERMOMETER, name="ATC_001122", service={"fcd2": "40000102ca0903bf13"})
    mark, _ = heard.topic("bluetooth/fridge/temperature", "25.06")
    heard.topic("bluetooth/fridge/humidity", "50.55")
    heard.topic("bluetooth/fridge/rssi", "-60")
    heard.topic("bluetooth/fridge/state", "online")
    for _ in range(3):
        air.do("advertise", address=THERMOMETER, service={"fcd2": "40000102ca0903bf13"})
    air.do("advertise", address="CB:B8:33:4C:88:4F", manufacturer={"1177": "0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"})
    heard.topic("bluetooth/CBB8334C884F/pressure", "1000.44")
    air.do("advertise", address=THERMOMETER, service={"fcd2": "40000202cb09"})
    heard.topic("bluetooth/fridge/temperature", "25.07")
    temperatures = [line for line in heard.lines if line.startswith("bluetooth/fridge/temperature")]
    assert len(temperatures) == 2, temperatures
    heard.topic("bluetooth/fridge/state", "offline", since=mark)
    bridge.stop()
    heard.topic("bluetooth/hci0/state", "offline")


def outages(stage):
    """Bus, bluetoothd, adapter and power go and come back, told of once each."""
    bridge = stage.bridge(retry={"min": "1s", "max": "1s"})
    air, heard = stage.air, stage.listener
    mark, _ = bridge.log.wait(lambda line: "cannot reach the system bus" in line)
    air.start_bus()
    mark, _ = bridge.log.wait(lambda line: "bluetoothd is not running" in line, mark)
    air.start_bluez()
    mark, _ = bridge.log.wait(lambda line: "there is no adapter hci0" in line, mark)
    air.do("adapter", powered=True)
    mark, _ = bridge.log.wait(lambda line: "listening on hci0" in line, mark)
    air.do("advertise", address=THERMOMETER, service={"fcd2": "400161"})
    heard.topic("bluetooth/A4C138001122/battery", "97")

    air.do("power", on=False)
    mark, _ = bridge.log.wait(lambda line: "hci0 is powered off" in line, mark)
    heard.topic("bluetooth/hci0/state", "offline")
    air.do("power", on=True)
    mark, _ = bridge.log.wait(lambda line: "listening on hci0" in line, mark)
    air.do("remove_adapter")
    mark, _ = bridge.log.wait(lambda line: "there is no adapter hci0" in line, mark)
    air.do("adapter")
    mark, _ = bridge.log.wait(lambda line: "listening on hci0" in line, mark)
    air.stop_bluez()
    mark, _ = bridge.log.wait(lambda line: "bluetoothd is not running" in line, mark)
    air.start_bluez()
    air.do("adapter")
    mark, _ = bridge.log.wait(lambda line: "listening on hci0" in line, mark)
    air.end()
    mark, _ = bridge.log.wait(lambda line: "cannot reach the system bus" in line, mark)
    air.start_bus()
    air.start_bluez()
    air.do("adapter")
    mark, _ = bridge.log.wait(lambda line: "listening on hci0" in line, mark)
    air.do("advertise", address=THERMOMETER, service={"fcd2": "400162"})
    heard.topic("bluetooth/A4C138001122/battery", "98")
    # Once an episode: ten of these were made, and between them bluetoothd and the adapter may be missed for a moment.
    assert len(bridge.log.lines) <= 16, bridge.log.lines
    bridge.stop()


def lamp_table(**more):
    return {"device": [{"address": LAMP, "name": "lamp", **more, "characteristic": [
        {"uuid": BATTERY, "name": "battery", "interval": "1h"},
        {"uuid": LIGHT, "name": "light", "type": "uint8", "notify": True, "writable": True}]}],
        "retry": {"min": "1s", "max": "1s"}}


def characteristics(stage):
    """Connects, reads, is notified, writes; a lost connection is made again."""
    air, heard = stage.air, stage.listener
    air.start_bus()
    air.start_bluez()
    air.do("adapter")
    # Known to bluetoothd before the module is.
    air.do("gatt", address=LAMP, name="Lamp", characteristics={BATTERY: "64", LIGHT: "00"})
    bridge = stage.bridge(**lamp_table())
    heard.topic("bluetooth/lamp/battery", "100")
    heard.topic("bluetooth/lamp/state", "online")
    air.wait("notify", address=LAMP)
    air.do("value", address=LAMP, uuid=LIGHT, bytes="07")
    mark, _ = heard.topic("bluetooth/lamp/light", "7")

    heard.client.publish("bluetooth/lamp/light/set", "42", qos=1)
    air.wait("write", address=LAMP, uuid=LIGHT, bytes="2a")
    _, line = heard.topic("bluetooth/lamp/light/set/result", since=mark)
    assert json.loads(line.split(" = ", 1)[1])["ok"], line
    mark, _ = heard.topic("bluetooth/lamp/light", "42", since=mark)
    heard.client.publish("bluetooth/lamp/light/set", '{"value": 255}', qos=1)
    mark, line = heard.topic("bluetooth/lamp/light/set/result", since=mark)
    assert "Write not permitted" in line, line
    heard.client.publish("bluetooth/lamp/light/set", "256", qos=1)
    mark, line = heard.topic("bluetooth/lamp/light/set/result", since=mark)
    assert "256 is not within uint8" in line, line

    air.do("refusing", address=LAMP, times=1)
    since = len(air.events.lines)
    air.do("drop", address=LAMP)
    mark, _ = heard.topic("bluetooth/lamp/state", "offline", since=mark)
    heard.topic("bluetooth/lamp/state", "online", since=mark)
    connects = [line for line in air.events.lines[since:] if '"connect"' in line]
    assert len(connects) == 2, connects
    air.wait("notify", since, address=LAMP)
    air.do("value", address=LAMP, uuid=LIGHT, bytes="08")
    heard.topic("bluetooth/lamp/light", "8", since=mark)
    since = len(air.events.lines)
    bridge.stop()
    air.wait("disconnect", since, address=LAMP)
    assert not any("connection was lost" in line for line in bridge.log.lines[:2]), bridge.log.lines


def twin(stage):
    """What the twin expects is written to the device, and confirmed."""
    bridge = stage.start(**lamp_table(twin=True))
    air, heard = stage.air, stage.listener
    air.do("gatt", address=LAMP, name="Lamp", characteristics={BATTERY: "64", LIGHT: "00"})
    heard.wait(lambda line: line.startswith("$hw/events/device/lamp/twin/update = ") and '"battery":{"actual":{"value":"100"}' in line)
    air.wait("notify", address=LAMP)
    mark = len(heard.lines)
    heard.client.publish("$hw/events/device/lamp/twin/update/delta", json.dumps(
        {"event_id": "e", "timestamp": 1, "delta": {"light": "9"}, "twin": {}}), qos=1)
    air.wait("write", address=LAMP, uuid=LIGHT, bytes="09")
    heard.wait(lambda line: line.startswith("$hw/events/device/lamp/twin/update = ") and '"light":{"actual":{"value":"9"}' in line, mark)
    bridge.stop()


def flood(stage, count=2000, rate=4000, beside=3):
    """One device's values all arrive from among thousands of advertisements a second that nobody asked for."""
    bridge = stage.start(allow=[THERMOMETER])
    air, heard = stage.air, stage.listener
    air.do("burst", address=THERMOMETER, count=count, rate=rate, beside=beside)
    _, told = air.wait("burst")
    heard.topic("bluetooth/A4C138001122/count", str(count - 1))
    counts = [int(line.split(" = ")[1]) for line in heard.lines if line.startswith("bluetooth/A4C138001122/count = ")]
    with open(f"/proc/{bridge.process.pid}/stat", encoding="utf-8") as file:
        ticks = sum(int(field) for field in file.read().rsplit(")", 1)[1].split()[11:13])
    with open(f"/proc/{bridge.process.pid}/status", encoding="utf-8") as file:
        memory = next(line.split()[1] for line in file if line.startswith("VmHWM"))
    print(f"{told['sent']} advertisements in {told['seconds']:.2f} s ({told['sent'] / told['seconds']:.0f} a second), "
          f"{len(counts)} of {count} values arrived; {ticks / os.sysconf('SC_CLK_TCK'):.2f} s of processor, "
          f"{int(memory) // 1024} MiB at most")
    assert counts == list(range(count)), f"{len(counts)} of {count}, or not in their order"
    bridge.stop()


def main():
    program, port, name = sys.argv[1:4]
    arguments = [int(argument) for argument in sys.argv[4:]]
    with tempfile.TemporaryDirectory(prefix="roost-bluetooth-") as directory:
        stage = Stage(program, int(port), directory)
        try:
            globals()[name](stage, *arguments)
            print(f"{name}: as promised")
        except BaseException:
            for bridge in stage.bridges:
                print("--- roost-bluetooth:\n" + "\n".join(bridge.log.lines[-40:]), file=sys.stderr)
            print("--- published:\n" + "\n".join(stage.listener.lines[-40:]), file=sys.stderr)
            raise
        finally:
            stage.end()


main()
