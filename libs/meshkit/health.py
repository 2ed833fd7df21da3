"""Whether a server takes work, and why not: the gRPC health service, with reasons.

The health protocol has a status and no reason, so reason and version travel in the trailing metadata
of `Check`, where whoever does not know of them does not see them. They are constants and names of
services, because a health port answers anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health, health_pb2

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]

REASON_KEY = "voicemesh-not-ready"
VERSION_KEY = "voicemesh-version"
MAX_TOLD = 300
"""Characters of a reason that are told."""


class NotReady(StrEnum):
    """Why a process takes no new work. `voicemesh doctor` says of each what to do."""

    STARTING = "starting"
    LOADING_ENGINE = "opening the first speech clients"
    WAITING_FOR_REDIS = "waiting for redis"
    WAITING_FOR_TOOLS = "waiting for the tool-executor"
    WAITING_FOR_PEER = "waiting for a service that it calls"
    DRAINING = "draining"
    """It was told to stop, and finishes what it has."""

    def told(self, detail: str = "") -> str:
        """`reason` or `reason: detail`, as it goes over the wire."""
        return f"{self.value}: {detail}" if detail else self.value


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said of itself."""

    serves: bool
    status: str
    """As the protocol names it: SERVING, NOT_SERVING, SERVICE_UNKNOWN."""
    reason: str = ""
    """Why not; empty if it serves, or does not say."""
    version: str = ""
    """Of voicemesh; empty: not told."""


class ReasonedHealth(health.aio.HealthServicer):  # type: ignore[misc]  # it has no types
    """The health service; `reason` is what its next answers tell. `version` is told with each."""

    def __init__(self, version: str) -> None:
        super().__init__()
        self._version = version
        self.reason = ""

    async def Check(  # noqa: N802 (as gRPC names it)
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """The status, with reason and version behind it."""
        told = [(VERSION_KEY, self._version)]
        if self.reason:
            told.append((REASON_KEY, _plain(self.reason)))
        context.set_trailing_metadata(tuple(told))
        return await super().Check(request, context)


def answer_of(
    response: health_pb2.HealthCheckResponse, trailing: Iterable[tuple[str, str | bytes]] | None
) -> Answer:
    """What a response and its trailing metadata say."""
    told = {key: value for key, value in trailing or () if isinstance(value, str)}
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
    serves = status == "SERVING"
    reason = "" if serves else told.get(REASON_KEY, "")
    return Answer(serves, status, reason, told.get(VERSION_KEY, ""))


async def asked(stub: Any, timeout: float) -> Answer:
    """Ask a HealthStub of grpc.aio about its whole server. Raises grpc.aio.AioRpcError."""
    call = stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout)
    return answer_of(await call, await call.trailing_metadata())


def _plain(text: str) -> str:
    """What metadata may hold: printable ASCII."""
    return "".join(c if " " <= c <= "~" else "?" for c in text[:MAX_TOLD])
