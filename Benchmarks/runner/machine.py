"""What the figures were made on."""

import os
import platform
import subprocess
from pathlib import Path


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def memory_gib():
    kib = int(Path("/proc/meminfo").read_text().split()[1])
    return f"{kib / 1024 / 1024:.1f} GiB"


def file_system(path):
    """Type and device of the file system that holds `path`: ("ext4", "/dev/vda")."""
    best = ("", "unknown", "unknown")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        device, mount, kind = line.split()[:3]
        inside = mount == "/" or path == Path(mount) or Path(mount) in path.parents
        if inside and len(mount) >= len(best[0]):
            best = (mount, kind, device)
    return best[1], best[2]


def describe(work):
    """Lines of Markdown."""
    kind, device = file_system(work.resolve())
    compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True, timeout=10).stdout.splitlines()[0]
    return [
        f"- Processor: {processor()}, {os.cpu_count()} cores, {memory_gib()}",
        f"- Kernel: {platform.system()} {platform.release()} {platform.machine()}",
        f"- Disk: {kind} on {device}",
        f"- Generator: {compiler}, `-O2`",
    ]
