"""What `voicemesh doctor` looks at on this machine: what a mesh here needs. It leaves nothing behind."""

from __future__ import annotations

import importlib.util
import platform
import resource
import shutil
import socket
import sys
from dataclasses import asdict
from importlib.metadata import version as installed_version
from pathlib import Path

from cli import doctor_checks as checks
from cli.doctor_checks import Finding, ok, warn
from cli.ports import Ports
from memory.embedded import EmbeddedUnavailable, find_binary


def machine(data: Path) -> list[Finding]:
    """What a mesh on this machine needs; `data` is where it would remember."""
    return [
        checks.python((sys.version_info[0], sys.version_info[1], sys.version_info[2])),
        checks.platform(platform.system(), platform.machine()),
        ok("voicemesh", installed_version("voicemesh")),
        *(checks.engines(kind, installed) for kind, installed in installed_engines().items()),
        _valkey(),
        _disk(data),
        *_memory(),
        checks.open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        checks.ports(taken_ports(Ports())),
    ]


def installed_engines() -> dict[str, list[str]]:
    """Local engines whose package or program is here, by what they do."""
    return {
        kind: [name for name, needs in engines.items() if _is_here(needs)]
        for kind, engines in checks.ENGINES.items()
    }


def taken_ports(ports: Ports) -> dict[str, int]:
    """Those on loopback that something listens on, by name."""
    return {name: port for name, port in asdict(ports).items() if _is_taken(port)}


def _is_here(needs: str) -> bool:
    return bool(shutil.which(needs) or importlib.util.find_spec(needs.replace("-", "_")))


def _is_taken(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _valkey() -> Finding:
    try:
        return ok("valkey", find_binary().name)
    except EmbeddedUnavailable as error:
        return warn("valkey", "no server binary", str(error))


def _disk(data: Path) -> Finding:
    folder = next(path for path in (data.absolute(), *data.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    limits = (checks.DISK_FAIL_BYTES, checks.DISK_WARN_BYTES)
    return checks.space("disk", free, limits, "Free space, or name another folder with --data.")


def _memory() -> list[Finding]:
    """What the kernel could still give; nothing where it does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return []
    limits = (checks.MEMORY_FAIL_BYTES, checks.MEMORY_WARN_BYTES)
    advice = "Stop other programs; a mesh with local engines holds about 1 GiB."
    return [checks.space("memory", free * 1024, limits, advice)]
