"""What `voicemesh doctor` looks at: this machine, and the services that the settings name.

Everything that is asked has a deadline, and an answer that does not come is a finding.
"""

from __future__ import annotations

import asyncio
import importlib.util
import platform
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import aiohttp
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import SecretStr

from cli import doctor_checks as checks
from cli.config import said_remotely, settings_class
from cli.doctor_checks import Finding, fail, ok, warn
from cli.pools import as_rows
from cli.ports import Ports
from memory.embedded import EmbeddedUnavailable, find_binary
from memory.hotstore import HotStore
from meshkit.call_graph import SERVICES
from meshkit.errors import MeshError
from meshkit.identity import certificates_of
from meshkit.remote import accept, of_service
from meshkit.settings import MeshSettings, SettingsError
from meshkit.startup import StartupError
from meshkit.targets import parse_target, split_address
from meshkit.tls import CertificateRefused, Certificates, Files, read_bundle
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from voicemesh.speech.v1.speech_pool_pb2_grpc import SpeechPoolServiceStub

ASK_SECONDS = 3.0
TARGETS = {
    "speech-pool": ("gateway", "speech_pool_target"),
    "orchestrator": ("gateway", "orchestrator_target"),
    "session-store": ("gateway", "session_store_target"),
    "tool-executor": ("orchestrator", "tool_executor_target"),
}
"""Whose setting says where a service is."""

Loaded = dict[str, MeshSettings]


# ---------------------------------------------------------------------- the machine


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


# ---------------------------------------------------------------------- the deployment


async def deployment(control_url: str, clock_url: str) -> list[Finding]:
    """The services that the settings read here name, and what those settings lack."""
    loaded, found = await load()
    found += judge(loaded, datetime.now(UTC))
    asked = [gateway(control_url), *_asking(loaded)]
    if clock_url:
        asked.append(clock(clock_url))
    for answer in await asyncio.gather(*asked):
        found += answer
    return found


async def load() -> tuple[Loaded, list[Finding]]:
    """The settings of each service as it would read them here, and of which there are none."""
    loaded, found = Loaded(), list[Finding]()
    try:
        said = await said_remotely()
    except SettingsError as error:
        return {}, [fail("settings", str(error), "Mend the setting; it is every service's.")]
    for service in SERVICES:
        try:
            accepted = accept(settings_class(service), of_service(said, service), {})
        except SettingsError as error:
            found.append(fail(f"{service} settings", str(error), "It would not start with these."))
        else:
            loaded[service] = accepted.settings
            found += [
                warn(f"{service} settings", f"App Configuration's {name} is refused", str(why))
                for name, why in accepted.refused.items()
            ]
    return loaded, found


def judge(loaded: Loaded, now: datetime) -> list[Finding]:
    """What can be told by the settings alone; certificates are read from their files."""
    found = list[Finding]()
    for service, settings in loaded.items():
        found += checks.credentials(service, plain(settings))
        found += certificate(service, settings, now)
    if "speech-pool" in loaded and "session-store" in loaded:
        mine, known = plain(loaded["speech-pool"]), plain(loaded["session-store"])["quotas"]
        used = {name: mine[name] for name in ("recognizer_quota", "synthesizer_quota")}
        found += checks.quota_names(used, list(known))
    return found


def plain(settings: MeshSettings) -> dict[str, Any]:
    """The settings by name, secrets as the text that they are. Not to be shown."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in ((name, getattr(settings, name)) for name in type(settings).model_fields)
    }


def certificate(service: str, settings: MeshSettings, now: datetime) -> list[Finding]:
    """The certificate that the settings name, if they name one."""
    if not settings.tls_certificate:
        return []
    files = Files(settings.tls_certificate, settings.tls_key, settings.tls_ca)
    try:
        return [checks.certificate(service, read_bundle(files, service, now).not_after, now)]
    except CertificateRefused as error:
        return [fail(f"{service} certificate", str(error), "Issue it anew.")]


def _asking(loaded: Loaded) -> list[Any]:
    asked: list[Any] = []
    for service, (caller, setting) in TARGETS.items():
        if caller in loaded:
            asked.append(mesh_service(service, caller, loaded[caller], setting))
    if "session-store" in loaded:
        asked.append(store(plain(loaded["session-store"])))
    return asked


async def mesh_service(
    service: str, caller: str, settings: MeshSettings, setting: str
) -> list[Finding]:
    """Each pod of a service, asked as its caller would; of a speech-pool, its pools."""
    target = getattr(settings, setting)
    try:
        certificates = certificates_of(caller, settings)
        addresses = await resolve(target)
    except StartupError as error:
        return [fail(service, "not asked", str(error))]
    except OSError as error:
        return [fail(service, f"{target} does not resolve: {error}", _where(setting))]
    answers = await asyncio.gather(
        *(_pod(service, address, certificates, setting) for address in addresses)
    )
    return [finding for answer in answers for finding in answer]


async def resolve(target: str) -> list[str]:
    """The addresses of a target, in order. Raises OSError."""
    scheme, addresses = parse_target(target)
    if scheme == "static":
        return list(addresses)
    host, port = split_address(addresses[0])
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(ASK_SECONDS):  # TimeoutError is an OSError
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return sorted({_joined(info[4][0], port) for info in found})


def _joined(host: str | int, port: int) -> str:
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


async def _pod(
    service: str, address: str, certificates: Certificates | None, setting: str
) -> list[Finding]:
    async with _channel(service, address, certificates) as channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=ASK_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            why = f"{address}: {error.code().name}, {error.details()}"
            return [fail(service, why, _where(setting))]
        status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        if status != "SERVING":
            return [fail(service, f"{address}: {status}", "Look at its logs; it may be starting.")]
        pools = await _pools(channel, address) if service == "speech-pool" else []
        return [ok(service, f"{address} serves"), *pools]


def _channel(service: str, address: str, certificates: Certificates | None) -> grpc.aio.Channel:
    if certificates is None:
        return grpc.aio.insecure_channel(address)
    options = certificates.channel_options(service)
    return grpc.aio.secure_channel(address, certificates.channel_credentials(), options=options)


async def _pools(channel: grpc.aio.Channel, address: str) -> list[Finding]:
    try:
        stats = await SpeechPoolServiceStub(channel).GetPoolStats(
            pb.GetPoolStatsRequest(), timeout=ASK_SECONDS
        )
    except grpc.aio.AioRpcError as error:
        return [fail("speech pools", f"{address}: {error.code().name}", "Look at its logs.")]
    return [checks.pool(row) for row in as_rows(address, stats)["pools"]]


def _where(setting: str) -> str:
    return f"Start it, or set VOICEMESH_{setting.upper()} to where it is."


async def store(settings: Mapping[str, Any]) -> list[Finding]:
    """The Redis of the session-store, by the URL that the settings hold."""
    if not settings["redis_url"]:
        advice = "Set VOICEMESH_REDIS_URL; `voicemesh up` gives its mesh one of its own."
        return [warn("redis", "no URL is set here, so it was not asked", advice)]
    try:
        store = HotStore(
            settings["redis_url"],
            timeout=ASK_SECONDS,
            attempts=1,
            cluster=settings["redis_cluster"],
        )
    except ValueError:
        return [
            fail("redis", "the URL is none", "Write VOICEMESH_REDIS_URL as rediss://host:6380.")
        ]
    async with store:
        try:
            return [checks.redis(await store.facts(), settings["store_durability"])]
        except MeshError as error:
            advice = "Start it, or set VOICEMESH_REDIS_URL to where it is, with its password."
            return [fail("redis", f"{store.address}: {error}", advice)]


async def gateway(control_url: str) -> list[Finding]:
    """The gateway's control plane: whether it is ready and why not, its version, its clock."""
    try:
        status, body, date = await _get(f"{control_url}/readyz")
        alive = (await _get(f"{control_url}/healthz"))[1]
    except (aiohttp.ClientError, OSError, ValueError) as error:
        why = str(error) or "no answer in time"
        advice = "Start it, or name it with --control-url."
        return [fail("gateway", f"{control_url}: {why}", advice)]
    if status != 200:
        said = body.get("detail") or f"status {status}"
        return [fail("gateway", f"{control_url} is not ready: {said}", "See the lines below.")]
    theirs, ours = str(alive.get("version", "")), installed_version("voicemesh")
    found = [ok("gateway", f"{control_url} is ready"), checks.version("gateway", theirs, ours)]
    return [*found, *_skew(date, control_url)]


async def clock(url: str) -> list[Finding]:
    """This clock against the Date of an HTTP server that is trusted to know the time."""
    try:
        _, _, date = await _get(url)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        why = str(error) or "no answer in time"
        return [fail("clock", f"{url}: {why}", "Name another server with --clock-reference.")]
    return _skew(date, url) or [
        fail("clock", f"{url} tells no Date", "Name another server with --clock-reference.")
    ]


def _skew(date: str, reference: str) -> list[Finding]:
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return []
    return [checks.clock((datetime.now(UTC) - theirs).total_seconds(), reference)]


async def _get(url: str) -> tuple[int, dict[str, Any], str]:
    """Status, JSON body (empty where it is none) and Date of an answer."""
    timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as answer:
        date = answer.headers.get("Date", "")
        if "json" not in answer.headers.get("Content-Type", ""):
            return answer.status, {}, date
        body = await answer.json(content_type=None)
        return answer.status, body if isinstance(body, dict) else {}, date
