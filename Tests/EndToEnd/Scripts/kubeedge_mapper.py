"""A device mapper as for KubeEdge, and an application beside it: kubeedge_mapper.py PORT NODE DEVICE.

They know nothing but KubeEdge's topics and JSON. The mapper reports what its device reads and does what is expected of it;
the application asks for another value, and waits until the device has it.
"""

import json
import queue
import sys
import time

import paho.mqtt.client as mqtt

PORT, NODE, DEVICE = int(sys.argv[1]), sys.argv[2], sys.argv[3]
PREFIX = f"$hw/events/device/{DEVICE}"
PATIENCE = 60


class Client:
    def __init__(self, name, topics):
        self.messages, self.ready = queue.Queue(), queue.Queue()
        self.mqtt = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv311)
        self.mqtt.on_connect = lambda c, u, flags, reason, p: c.subscribe([(topic, 1) for topic in topics])
        self.mqtt.on_subscribe = lambda c, u, mid, reasons, p: self.ready.put(reasons)
        self.mqtt.on_message = lambda c, u, message: self.messages.put((message.topic, json.loads(message.payload)))
        self.mqtt.connect("127.0.0.1", PORT)
        self.mqtt.loop_start()
        assert not any(reason.is_failure for reason in self.ready.get(timeout=PATIENCE))

    def publish(self, topic, **content):
        content["timestamp"] = int(time.time() * 1000)
        info = self.mqtt.publish(topic, json.dumps(content), qos=1)
        info.wait_for_publish(PATIENCE)
        assert info.is_published(), topic

    def expect(self, topic):
        while True:
            came, content = self.messages.get(timeout=PATIENCE)
            if came == topic:
                return content


def value(text, kind="actual"):
    return {kind: {"value": text, "metadata": {"timestamp": int(time.time() * 1000)}}}


mapper = Client("mapper", [f"{PREFIX}/twin/update/delta", f"{PREFIX}/twin/update/result", f"{PREFIX}/state/update/result"])
app = Client(
    "app",
    [f"{PREFIX}/twin/get/result", f"{PREFIX}/twin/update/document", f"$hw/events/node/{NODE}/membership/get/result"],
)

# The device comes up, and reports.
mapper.publish(f"{PREFIX}/state/update", event_id="s1", state="online")
state = mapper.expect(f"{PREFIX}/state/update/result")["device"]
assert state["state"] == "online" and state["lastOnlineTime"].endswith("Z"), state
reading = value("20")
reading["metadata"] = {"type": "int"}
mapper.publish(f"{PREFIX}/twin/update", event_id="u1", twin={"speed": reading, "mode": value("auto")})
result = mapper.expect(f"{PREFIX}/twin/update/result")
assert result["event_id"] == "u1" and result["twin"]["speed"]["actual"]["value"] == "20", result
assert app.expect(f"{PREFIX}/twin/update/document")["twin"]["speed"]["last"] is None

# The application finds it, and expects something else of it.
app.publish(f"$hw/events/node/{NODE}/membership/get", event_id="m1")
devices = app.expect(f"$hw/events/node/{NODE}/membership/get/result")["devices"]
assert [(device["id"], device["state"]) for device in devices] == [(DEVICE, "online")], devices
app.publish(f"{PREFIX}/twin/update", event_id="u2", twin={"speed": value("35", "expected")})

# The mapper does it, and says so.
delta = mapper.expect(f"{PREFIX}/twin/update/delta")
assert delta["delta"] == {"speed": "35"} and list(delta["twin"]) == ["speed"], delta
mapper.publish(f"{PREFIX}/twin/update", event_id="u3", twin={"speed": value(delta["delta"]["speed"])})
while True:
    changed = app.expect(f"{PREFIX}/twin/update/document")["twin"]["speed"]
    if changed["current"]["actual"]["value"] == "35":
        break
assert changed["last"]["actual"]["value"] == "20", changed

app.publish(f"{PREFIX}/twin/get", event_id="g1")
answer = app.expect(f"{PREFIX}/twin/get/result")
twin = answer["twin"]
assert answer["event_id"] == "g1" and set(twin) == {"speed", "mode"}, answer
assert twin["speed"]["expected"]["value"] == twin["speed"]["actual"]["value"] == "35", twin
assert twin["speed"]["metadata"]["type"] == "int" and "actual_version" not in twin["speed"], twin

# What is no number is refused, and nothing of it stays.
mapper.publish(f"{PREFIX}/twin/update", event_id="u4", twin={"speed": value("fast"), "mode": value("manual")})
while (refusal := mapper.expect(f"{PREFIX}/twin/update/result"))["event_id"] != "u4":
    pass
assert refusal["code"] == 400 and refusal["reason"] == "the value is not int or integer", refusal
app.publish(f"{PREFIX}/twin/get", event_id="g2")
assert app.expect(f"{PREFIX}/twin/get/result")["twin"]["mode"]["actual"]["value"] == "auto"
print("the mapper is served")
