#!/usr/bin/env python3
"""A module for roostd in a page: publishes a number that counts, and sets it to what it is told (docs/modules.md).

    [[module]]
    name = "counter"
    program = "conf/modules/counter.py"
    every = 1.0                     # seconds; a key of this module's own

Needs paho-mqtt 2 (pip install paho-mqtt).
"""

import json
import os
import signal
import sys
import threading

table = json.load(sys.stdin)
every = table.get("every", 1.0)
if "--check" in sys.argv:
    if not isinstance(every, (int, float)) or every <= 0:
        print(f"every: {every!r} is not a time in seconds")
        sys.exit(1)
    sys.exit(0)

import paho.mqtt.client as mqtt

name = os.environ["ROOST_MODULE"]
path = os.environ["ROOST_MQTT_URL"].removeprefix("unix:")
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, transport="unix", protocol=mqtt.MQTTv5)
client.username_pw_set(os.environ["ROOST_MQTT_USERNAME"], os.environ["ROOST_MQTT_PASSWORD"])
count = 0


def is_set(client, userdata, message):
    global count
    count = int(message.payload)
    print(f"<5>set to {count}", flush=True)


client.on_connect = lambda *_: client.subscribe(f"{name}/set", qos=1)
client.on_message = is_set
client.connect(path, keepalive=20)
client.loop_start()

end = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: end.set())
while not end.wait(every):
    client.publish(f"{name}/value", json.dumps({"value": count}), qos=1)
    count += 1
client.disconnect()
client.loop_stop()
