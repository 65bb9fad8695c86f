"""The brokers: how each is configured for a measure, and started."""

import dataclasses
import os
import shlex
import subprocess
from pathlib import Path


@dataclasses.dataclass
class Setup:
    """What a measure needs of a broker. Port and data directory are filled in when it starts."""

    port: int = 0
    data: Path = None
    kept: bool = False           # sessions and their messages survive a stop
    receives_batches: bool = False
    upstream_port: int = 0       # 0: no uplink
    mode: str = "batch"          # of the uplink, Roost only
    hundred: bool = False        # wait for all that come at once, Roost only
    inflight: int = 0            # Receive Maximum, Roost only; 0: the default
    budget: str = ""             # of the store, Roost only
    node: str = ""               # its name; empty: node or cloud
    durable_bridge: bool = False    # mosquitto's bridge keeps its messages
    fixed_port: int = 0          # 0: any
    tls: bool = False            # with a certificate of its own
    websocket: bool = False
    plain_too: bool = False      # a second listener for plain MQTT
    plain_port: int = 0          # its port

    def make_certificate(self):
        """(certificate, key): ECDSA over P-256, signed by itself."""
        paths = self.data / "server.pem", self.data / "server.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-out", paths[0], "-keyout", paths[1]],
            check=True, capture_output=True, timeout=30)
        return paths


class Roost:
    """roostd, configured by a roost.toml."""

    name = "Roost"
    drains = True
    wants = None                 # how many times a peer's rate Roost wants to reach
    most_wear_rate = 1000

    def __init__(self, binary):
        self.binary = binary

    def version(self):
        return first_line([self.binary, "--version"])

    def can_bridge(self):
        return True

    def command(self, setup):
        path = setup.data / "roost.toml"
        path.write_text(self.configuration(setup))
        return [self.binary, "-c", path]

    def configuration(self, setup):
        """Only what a load of this size needs beyond the defaults. Durability stays strict."""
        text = f"""\
[node]
id = "{setup.node or ('node' if setup.upstream_port else 'cloud')}"
data = "{setup.data / 'data'}"
[[listener]]
bind = "127.0.0.1:{setup.port}"
max_connections = 20000
{'tls = { certificate = "%s", key = "%s" }' % setup.make_certificate() if setup.tls else ''}
{'transport = "websocket"' if setup.websocket else ''}
{f'[[listener]]{chr(10)}bind = "127.0.0.1:{setup.plain_port}"' if setup.plain_too else ''}
[limits]
session_messages = 2000000
session_bytes = "512MiB"
{f'inflight = {setup.inflight}' if setup.inflight else ''}
{f'[store]{chr(10)}budget = "{setup.budget}"' if setup.budget else ''}
[log]
level = "warning"
"""
        if setup.receives_batches:
            text += "[ingest]\nenabled = true\n"
        if setup.upstream_port:
            text += f"""\
[[uplink]]
name = "cloud"
urls = ["mqtt://127.0.0.1:{setup.upstream_port}"]
heartbeat = 0
reconnect = {{ min = "200ms", max = "1s" }}
[[uplink.route]]
filter = "plant/#"
mode = "{setup.mode}"
"""
            if setup.hundred and setup.mode == "batch":
                text += 'batch = { delay = "60ms", eager = false }\n'
        return text


class Mosquitto:
    """mosquitto 2.0, set as well as it can be for each measure."""

    drains = False
    wants = None
    most_wear_rate = 100         # each change writes its whole store: more a second would only take long

    def __init__(self, binary):
        self.binary = binary
        self.name = "mosquitto"

    def version(self):
        return first_line([self.binary, "-h"])

    def can_bridge(self):
        return True

    def command(self, setup):
        path = setup.data / "mosquitto.conf"
        path.write_text(self.configuration(setup))
        return [self.binary, "-c", path]

    def configuration(self, setup):
        text = f"""\
user {'root' if os.geteuid() == 0 else 'mosquitto'}
listener {setup.port} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
max_queued_messages 0
max_inflight_messages 100
log_type error
persistence {'true' if setup.kept else 'false'}
"""
        if setup.tls:
            text += "certfile %s\nkeyfile %s\n" % setup.make_certificate()
        if setup.websocket:
            text += "protocol websockets\n"
        if setup.plain_too:
            text += f"listener {setup.plain_port} 127.0.0.1\n"
        if setup.kept:
            text += self.keeping(setup)
        if setup.upstream_port:
            text += f"""\
connection bench
address 127.0.0.1:{setup.upstream_port}
topic plant/# out 1
cleansession {'false' if setup.durable_bridge else 'true'}
notifications false
restart_timeout 1
"""
        return text

    def keeping(self, setup):
        return f"persistence_location {setup.data}/\nautosave_on_changes true\nautosave_interval 1\n"


class MosquittoSQLite(Mosquitto):
    """mosquitto 2.1 as built in the directory `tree`, with its SQLite plugin and every commit synced."""

    wants = 5
    most_wear_rate = 1000

    def __init__(self, tree):
        super().__init__(str(tree / "src/mosquitto"))
        self.plugin = tree / "plugins/persist-sqlite/mosquitto_persist_sqlite.so"
        self.name = "mosquitto 2.1 (built by hand)"

    def configuration(self, setup):
        return super().configuration(setup).replace("persistence true\n", "")

    def keeping(self, setup):
        return (f"persistence_location {setup.data}/\nplugin {self.plugin}\nplugin_opt_sync full\n"
                "plugin_opt_flush_period 0\n")


class Other:
    """Any broker: a configuration template with {port} and {data}, and the arguments that name its file."""

    def __init__(self, binary, name, template, arguments):
        self.binary = binary
        self.name = name
        self.template = template
        self.arguments = arguments

    def version(self):
        return first_line([self.binary, "--version"])

    def can_bridge(self):
        return "{upstream_port}" in self.template

    def command(self, setup):
        path = setup.data / "peer.conf"
        path.write_text(self.fill(self.template, setup))
        return [self.binary, *shlex.split(self.fill(self.arguments, setup).replace("{config}", str(path)))]

    def fill(self, text, setup):
        values = {"port": setup.port, "data": setup.data, "upstream_port": setup.upstream_port}
        for name, value in values.items():
            text = text.replace("{" + name + "}", str(value))
        return text


def first_line(command):
    """What a program says of itself."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next(iter((result.stdout or result.stderr).strip().splitlines()), "")
