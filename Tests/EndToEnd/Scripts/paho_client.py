"""One step of a test with paho-mqtt 2 as the client: paho_client.py PORT 3.1.1|5 exchange|leave|return [tcp|websockets [CA]].

exchange: messages of every QoS, a retained one and, at MQTT 5, properties, there and back.
leave:    a session subscribes and goes; messages are published for it.
return:   the session comes back and finds them, each once and in order.
"""

import queue
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PORT, VERSION, STEP = int(sys.argv[1]), sys.argv[2], sys.argv[3]
TRANSPORT = sys.argv[4] if len(sys.argv) > 4 else "tcp"
AUTHORITY = sys.argv[5] if len(sys.argv) > 5 else None
IS_5 = VERSION == "5"
PATIENCE = 60


class Client:
    def __init__(self, name, keep):
        self.messages, self.connected, self.subscribed = queue.Queue(), queue.Queue(), queue.Queue()
        self.keep = keep
        self.mqtt = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=name,
            transport=TRANSPORT,
            protocol=mqtt.MQTTv5 if IS_5 else mqtt.MQTTv311,
            **({} if IS_5 else {"clean_session": not keep}),
        )
        if AUTHORITY:
            self.mqtt.tls_set(ca_certs=AUTHORITY)
        self.mqtt.on_connect = lambda c, u, flags, reason, p: self.connected.put((flags.session_present, reason))
        self.mqtt.on_message = lambda c, u, message: self.messages.put(message)
        self.mqtt.on_subscribe = lambda c, u, mid, reasons, p: self.subscribed.put(reasons)

    def connect(self):
        more = {}
        if IS_5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 3600 if self.keep else 0
            more = {"clean_start": not self.keep, "properties": properties}
        self.mqtt.connect("127.0.0.1", PORT, **more)
        self.mqtt.loop_start()
        present, reason = self.connected.get(timeout=PATIENCE)
        assert not reason.is_failure, reason
        return present

    def subscribe(self, topic):
        self.mqtt.subscribe(topic, qos=2)
        for reason in self.subscribed.get(timeout=PATIENCE):
            assert reason.value == 2, reason

    def publish(self, topic, payload, qos, retain=False, properties=None):
        info = self.mqtt.publish(topic, payload, qos=qos, retain=retain, properties=properties)
        info.wait_for_publish(PATIENCE)
        assert info.is_published(), topic

    def receive(self):
        return self.messages.get(timeout=PATIENCE)

    def leave(self):
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


def exchange():
    client = Client("paho-exchange", keep=False)
    client.connect()
    client.subscribe("paho/#")
    for qos in (0, 1, 2):
        properties = None
        if IS_5:
            properties = Properties(PacketTypes.PUBLISH)
            properties.ContentType = "text/plain"
            properties.CorrelationData = b"\x00\x01"
            properties.UserProperty = [("a", "1"), ("a", "2")]
        client.publish(f"paho/{qos}", f"message {qos}", qos, properties=properties)
        message = client.receive()
        assert (message.topic, message.qos) == (f"paho/{qos}", qos), (message.topic, message.qos)
        assert message.payload == f"message {qos}".encode()
        if IS_5:
            assert message.properties.ContentType == "text/plain"
            assert message.properties.CorrelationData == b"\x00\x01"
            assert message.properties.UserProperty == [("a", "1"), ("a", "2")]
    large = bytes(range(256)) * 2000
    client.publish("paho/large", large, 1)
    assert client.receive().payload == large
    client.publish("paho/retained", "kept", 1, retain=True)
    assert not client.receive().retain
    client.leave()

    late = Client("paho-late", keep=False)
    late.connect()
    late.subscribe("paho/+")
    message = late.receive()
    assert message.retain and message.payload == b"kept", message
    late.publish("paho/retained", b"", 1, retain=True)
    late.leave()


def leave():
    client = Client("paho-session", keep=True)
    assert not client.connect()
    client.subscribe("jobs/#")
    client.leave()
    publisher = Client("paho-publisher", keep=False)
    publisher.connect()
    for number in range(100):
        publisher.publish(f"jobs/{number % 2 + 1}", str(number), number % 2 + 1)
    publisher.leave()


def come_back():
    client = Client("paho-session", keep=True)
    assert client.connect()
    found = {1: [], 2: []}
    for _ in range(100):
        message = client.receive()
        assert message.topic == f"jobs/{message.qos}"
        found[message.qos].append(int(message.payload))
    assert found == {1: list(range(0, 100, 2)), 2: list(range(1, 100, 2))}, found
    assert client.messages.empty()
    client.leave()


{"exchange": exchange, "leave": leave, "return": come_back}[STEP]()
