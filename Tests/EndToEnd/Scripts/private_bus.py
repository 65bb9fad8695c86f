"""A D-Bus daemon of one's own, which lets everybody do everything: a system bus for whoever has its address."""

import os
import subprocess

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=%s</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
<allow receive_type="signal"/></policy></busconfig>
"""


def address(directory):
    return f"unix:path={os.path.abspath(directory)}/bus"


def start(directory):
    """The daemon, once it listens at DIRECTORY/bus."""
    path = os.path.join(os.path.abspath(directory), "bus")
    if os.path.exists(path):
        os.unlink(path)
    configuration = os.path.join(directory, "bus.conf")
    with open(configuration, "w", encoding="utf-8") as file:
        file.write(CONFIGURATION % path)
    daemon = subprocess.Popen(["dbus-daemon", f"--config-file={configuration}", "--nofork", "--print-address"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    daemon.stdout.readline()
    return daemon
