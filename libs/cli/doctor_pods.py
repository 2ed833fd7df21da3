"""What `voicemesh doctor` asks the pods of a service: whether they serve, and if not why, and what runs.

Health is asked as any caller may. Status and pools are told to operators only: where the certificate
at hand is none's, that is a finding of its own, and the rest is told all the same.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from typing import Any

import grpc
from grpc_health.v1 import health_pb2_grpc

from cli import doctor_checks as checks
from cli.diagnostics import BE_AN_OPERATOR, Process, Refused, Unanswered
from cli.doctor_checks import Finding, fail, ok, warn
from cli.identity import Identity, channel_to
from cli.pools import as_rows
from meshkit.health import Answer, asked
from meshkit.identity import certificates_of
from meshkit.settings import MeshSettings
from meshkit.startup import StartupError
from meshkit.targets import parse_target, split_address
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from voicemesh.speech.v1.speech_pool_pb2_grpc import SpeechPoolServiceStub

ASK_SECONDS = 3.0
SPEECH_POOL = "speech-pool"


@dataclass(frozen=True, slots=True)
class Pods:
    """A service as one of its callers knows it."""

    service: str
    caller: str
    """Whose settings say where it is; who we are, unless an operator's certificate is given."""
    setting: str
    """Of the caller's: where the service is."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a pod's findings are, and how many clients of each kind its pools may open."""

    findings: list[Finding]
    most: dict[str, int]


async def ask(pods: Pods, settings: MeshSettings, operator: Identity | None = None) -> list[Told]:
    """Each pod of a service; of a speech-pool its pools too."""
    target = getattr(settings, pods.setting)
    try:
        identity = operator or caller_identity(pods.caller, settings)
        addresses = await resolve(target)
    except StartupError as error:
        return [Told([fail(pods.service, "not asked", str(error))], {})]
    except OSError as error:
        said = f"{target} does not resolve: {error}"
        return [Told([fail(pods.service, said, _where(pods.setting))], {})]
    return await asyncio.gather(*(_pod(pods, address, identity) for address in addresses))


def caller_identity(caller: str, settings: MeshSettings) -> Identity | None:
    """The certificate that a service here would show. Raises StartupError."""
    certificates = certificates_of(caller, settings)
    if certificates is None:
        return None
    bundle = certificates.current
    return Identity(bundle.certificate, bundle.key, bundle.ca)


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


async def _pod(pods: Pods, address: str, identity: Identity | None) -> Told:
    async with channel_to(pods.service, address, identity) as channel:
        try:
            answer = await asked(health_pb2_grpc.HealthStub(channel), ASK_SECONDS)
        except grpc.aio.AioRpcError as error:
            return Told([_unreachable(pods, address, error, identity is not None)], {})
        found = [_readiness(pods.service, address, answer)]
        found += await _status(pods.service, address, identity, answer)
        if pods.service != SPEECH_POOL or not answer.serves:
            return Told(found, {})
        pools = await _pools(channel, address)
        return Told([*found, *pools.findings], pools.most)


def _readiness(service: str, address: str, answer: Answer) -> Finding:
    if answer.serves:
        return ok(service, f"{address} serves")
    said = ": ".join(filter(None, (answer.status, answer.reason)))
    return fail(service, f"{address}: {said}", checks.advice_of(answer.reason))


def _unreachable(pods: Pods, address: str, error: grpc.aio.AioRpcError, certified: bool) -> Finding:
    said = f"{address}: {error.code().name}, {error.details()}"
    if certified or "handshake" in str(error.details()).lower():
        tls = " If it runs, compare the CAs and names of both certificates."
        return fail(pods.service, said, _where(pods.setting) + tls)
    return fail(pods.service, said, _where(pods.setting))


async def _status(
    service: str, address: str, identity: Identity | None, answer: Answer
) -> list[Finding]:
    """Version, certificate and settings, as far as the pod tells us."""
    ours = installed_version("voicemesh")
    try:
        async with asyncio.timeout(ASK_SECONDS):
            status = await Process(service, address, identity).status()
    except Refused:
        said = f"{address} tells its status to operators only"
        refused = warn(f"{service} status", said, BE_AN_OPERATOR)
        return [checks.version(service, answer.version, ours), refused]
    except (Unanswered, TimeoutError):
        return [checks.version(service, answer.version, ours)]
    return of_status(service, address, status, datetime.now(UTC))


def of_status(service: str, address: str, status: dict[str, Any], now: datetime) -> list[Finding]:
    """What a status says."""
    ours = installed_version("voicemesh")
    found = [checks.version(service, status["version"], ours)]
    if until := status.get("certificate_end_time"):
        ends = datetime.fromisoformat(until)
        found.append(checks.certificate(f"{service} {address}", ends, now))
    if waiting := status["waiting_settings"]:
        found.append(checks.waiting_settings(service, address, waiting))
    return found


async def _pools(channel: grpc.aio.Channel, address: str) -> Told:
    try:
        stats = await SpeechPoolServiceStub(channel).GetPoolStats(
            pb.GetPoolStatsRequest(), timeout=ASK_SECONDS
        )
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.PERMISSION_DENIED:
            said = f"{address} tells its pools to operators only"
            return Told([warn("speech pools", said, BE_AN_OPERATOR)], {})
        said = f"{address}: {error.code().name}"
        return Told([fail("speech pools", said, "Look at its logs.")], {})
    rows = as_rows(address, stats)["pools"]
    return Told([checks.pool(row) for row in rows], {row["kind"]: row["max"] for row in rows})


def _where(setting: str) -> str:
    return f"Start it, or set VOICEMESH_{setting.upper()} to where it is."
