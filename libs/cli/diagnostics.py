"""Asking one process of the mesh for its status, tasks or profile: gRPC, or the gateway's REST.

Both answer in the same words, which is what is given here: plain values by the protos' names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import aiohttp
import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict

from cli.bodies import whole_body
from cli.identity import MAX_ANSWER_BYTES, Identity, channel_to
from cli.ports import Ports
from meshkit.errors import MeshError, PeerUnreachable, from_rpc_error
from voicemesh.mesh.v1 import diagnostics_pb2 as pb
from voicemesh.mesh.v1.diagnostics_pb2_grpc import DiagnosticsServiceStub

GATEWAY = "gateway"
ASK_SECONDS = 5.0
_UNKNOWN = ("CALLER_NOT_ALLOWED", "CALLER_UNKNOWN")
BE_AN_OPERATOR = (
    "Ask with --tls-certificate, --tls-key and --tls-ca of somebody to whom VOICEMESH_CALLERS gives"
    " the role operator."
)


class Unanswered(Exception):
    """Nobody answered. The message says where and why."""


class Refused(Unanswered):
    """The process answered, and does not tell. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Process:
    """Where a process is asked, and as whom."""

    service: str
    where: str
    """`host:port`; of the gateway the URL of its control plane."""
    identity: Identity | None = None
    control_key: str = ""

    async def status(self) -> dict[str, Any]:
        """GetStatusResponse. Raises Unanswered."""
        if self.service == GATEWAY:
            return await self._get("status", ASK_SECONDS)
        return await self._call("GetStatus", pb.GetStatusRequest(), ASK_SECONDS)

    async def tasks(self) -> dict[str, Any]:
        """GetTaskDumpResponse. Raises Unanswered."""
        if self.service == GATEWAY:
            return await self._get("tasks", ASK_SECONDS)
        return await self._call("GetTaskDump", pb.GetTaskDumpRequest(), ASK_SECONDS)

    async def profile(self, seconds: float) -> dict[str, Any]:
        """CaptureProfileResponse, after that time. Raises Unanswered."""
        patience = seconds + ASK_SECONDS
        if self.service == GATEWAY:
            return await self._get(f"profile?seconds={seconds:g}", patience)
        duration = Duration()
        duration.FromMilliseconds(round(seconds * 1000))
        request = pb.CaptureProfileRequest(duration=duration)
        return await self._call("CaptureProfile", request, patience)

    async def _call(self, method: str, request: Any, timeout: float) -> dict[str, Any]:
        async with channel_to(self.service, self.where, self.identity) as channel:
            try:
                answer = await getattr(DiagnosticsServiceStub(channel), method)(
                    request, timeout=timeout
                )
            except grpc.aio.AioRpcError as error:
                raise _unanswered(self.where, from_rpc_error(error)) from None
        told: dict[str, Any] = MessageToDict(
            answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        return told

    async def _get(self, path: str, timeout: float) -> dict[str, Any]:
        url = f"{self.where}/api/v1/diagnostics/{path}"
        headers = {"Authorization": f"Bearer {self.control_key}"} if self.control_key else {}
        limit = aiohttp.ClientTimeout(total=timeout)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit, headers=headers) as http,
                http.get(url) as answer,
            ):
                body = json.loads(await whole_body(answer, MAX_ANSWER_BYTES))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unanswered(f"{self.where}: {str(error) or 'no answer in time'}") from None
        if not isinstance(body, dict):
            raise Unanswered(f"{self.where} answers what is no gateway's")
        if answer.status != 200:
            raise Refused(f"{self.where}: {body.get('detail') or f'status {answer.status}'}")
        return body


def usual_place(service: str) -> str:
    """Where a service of `voicemesh up` is."""
    ports = Ports()
    if service == GATEWAY:
        return f"http://127.0.0.1:{ports.gateway_http}"
    return f"127.0.0.1:{getattr(ports, service.replace('-', '_'))}"


def _unanswered(where: str, error: MeshError) -> Unanswered:
    if isinstance(error, PeerUnreachable):
        return Unanswered(f"{where}: {error.reason}, {error.message}")
    advice = BE_AN_OPERATOR if error.reason in _UNKNOWN else ""
    return Refused(f"{where}: {error.message}. {advice}".rstrip())
