"""A paho-mqtt 2 client in a session that outlives connections: paho_load.py PORT 3.1.1|5 publish|subscribe NAME COUNT
[FILTER].

publish:   COUNT numbered messages to load/QOS, at QoS 1 and 2 in turn, over as many connections as it takes; a line with
           the number of each that is acknowledged. paho sends again by itself what was not.
subscribe: a line with topic and payload of everything in load/, or of what FILTER says, until it is killed.
"""

import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PORT, IS_5, ROLE, NAME, COUNT = int(sys.argv[1]), sys.argv[2] == "5", sys.argv[3], sys.argv[4], int(sys.argv[5])
FILTER = sys.argv[6] if len(sys.argv) > 6 else "load/#"
# PUBCOMP with "Packet Identifier not found" answers a PUBREL whose first answer was lost: the message is long known.
NOT_FOUND = 0x92
PATIENCE = 120

numbers, room, lock = {}, threading.Semaphore(20), threading.Lock()
early, left = set(), threading.Semaphore(0)


def acknowledged(client, user, mid, reason, properties):
    """May come before publish() has returned."""
    with lock:
        number = numbers.pop(mid, None)
        if number is None:
            return early.add(mid)
    say(number, reason)


def say(number, reason=None):
    refused = reason is not None and reason.is_failure and reason.value != NOT_FOUND
    print(f"{'refused' if refused else 'acknowledged'} {number}", flush=True)
    room.release()
    left.release()


client = mqtt.Client(
    mqtt.CallbackAPIVersion.VERSION2,
    client_id=NAME,
    protocol=mqtt.MQTTv5 if IS_5 else mqtt.MQTTv311,
    **({} if IS_5 else {"clean_session": False}),
)
client.on_publish = acknowledged
client.reconnect_delay_set(1, 1)
more = {}
if IS_5:
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    more = {"clean_start": False, "properties": properties}
client.connect("127.0.0.1", PORT, **more)
if ROLE == "subscribe":
    client.on_connect = lambda *_: client.subscribe(FILTER, qos=2)
    client.on_subscribe = lambda *_: print("subscribed", flush=True)
    client.on_message = lambda c, u, message: print(message.topic, message.payload.decode(), flush=True)
    client.loop_forever()
client.loop_start()
for number in range(COUNT):
    assert room.acquire(timeout=PATIENCE), "nothing is acknowledged any more"
    qos = 1 + number % 2
    mid = client.publish(f"load/{qos}", str(number), qos).mid
    with lock:
        is_early = mid in early
        if is_early:
            early.discard(mid)
        else:
            numbers[mid] = number
    if is_early:
        say(number)
for _ in range(COUNT):
    assert left.acquire(timeout=PATIENCE), "not all were acknowledged"
client.disconnect()
client.loop_stop()
