"""Errors between services: one exception, one table of reasons, both directions of the wire.

    MeshError            a reason from the table, for raising and for catching
      PeerUnreachable    no answer that the peer itself made: refused, reset, silent, out of time

A servicer raises MeshError; the server's interceptor turns it into a `google.rpc.Status` with
ErrorInfo (and RetryInfo, BadRequest where they say something). A client's call raises the same
MeshError again. protos/README.md holds the table for people; a test compares the two.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status.rpc_status import to_status

_Code = grpc.StatusCode


class Reason(enum.Enum):
    """Every reason that the mesh raises, with its gRPC status."""

    CALL_OWNER_SUPERSEDED = _Code.ABORTED, 1
    CLAIM_LOST = _Code.ABORTED, 2
    REQUEST_ID_REUSED = _Code.ABORTED, 3
    SESSION_CONFLICT = _Code.ABORTED, 4
    SESSION_EXISTS = _Code.ALREADY_EXISTS, 1
    CALL_OWNED = _Code.FAILED_PRECONDITION, 1
    CLIENT_CHANGED = _Code.FAILED_PRECONDITION, 2
    CONVERSATION_ALREADY_OPEN = _Code.FAILED_PRECONDITION, 3
    LEASE_IN_USE = _Code.FAILED_PRECONDITION, 4
    SESSION_ENDED = _Code.FAILED_PRECONDITION, 5
    TIER_UNAVAILABLE = _Code.FAILED_PRECONDITION, 6
    INTERNAL_ERROR = _Code.INTERNAL, 1
    ARGUMENT_INVALID = _Code.INVALID_ARGUMENT, 1
    AUDIO_FORMAT_UNSUPPORTED = _Code.INVALID_ARGUMENT, 2
    AUDIO_MALFORMED = _Code.INVALID_ARGUMENT, 3
    CLIENT_KIND_MISMATCH = _Code.INVALID_ARGUMENT, 4
    CLIENT_KIND_UNSUPPORTED = _Code.INVALID_ARGUMENT, 5
    DOCUMENT_TOO_LARGE = _Code.INVALID_ARGUMENT, 6
    NAME_MALFORMED = _Code.INVALID_ARGUMENT, 7
    STREAM_CONFIG_MISSING = _Code.INVALID_ARGUMENT, 8
    STREAM_START_MISSING = _Code.INVALID_ARGUMENT, 9
    TEXT_INVALID = _Code.INVALID_ARGUMENT, 10
    TTL_OUT_OF_RANGE = _Code.INVALID_ARGUMENT, 11
    VOICE_NOT_FOUND = _Code.INVALID_ARGUMENT, 12
    CALL_NOT_OWNED = _Code.NOT_FOUND, 1
    CLAIM_NOT_FOUND = _Code.NOT_FOUND, 2
    LEASE_NOT_FOUND = _Code.NOT_FOUND, 3
    SCENARIO_NOT_FOUND = _Code.NOT_FOUND, 4
    SESSION_NOT_FOUND = _Code.NOT_FOUND, 5
    CALLER_NOT_ALLOWED = _Code.PERMISSION_DENIED, 1
    LEASE_NOT_OWNED = _Code.PERMISSION_DENIED, 2
    DIAGNOSTICS_OFF = _Code.PERMISSION_DENIED, 3
    POOL_EXHAUSTED = _Code.RESOURCE_EXHAUSTED, 1
    QUOTA_EXHAUSTED = _Code.RESOURCE_EXHAUSTED, 2
    STORE_FULL = _Code.RESOURCE_EXHAUSTED, 3
    TOOL_CONCURRENCY_EXCEEDED = _Code.RESOURCE_EXHAUSTED, 4
    PROFILE_UNDER_WAY = _Code.RESOURCE_EXHAUSTED, 5
    ARCHIVE_UNAVAILABLE = _Code.UNAVAILABLE, 1
    POD_DRAINING = _Code.UNAVAILABLE, 2
    PROVIDER_UNAVAILABLE = _Code.UNAVAILABLE, 3
    STORE_NOT_DURABLE = _Code.UNAVAILABLE, 4
    STORE_UNAVAILABLE = _Code.UNAVAILABLE, 5
    TOOL_STILL_RUNNING = _Code.UNAVAILABLE, 6
    CALLER_UNKNOWN = _Code.UNAUTHENTICATED, 1

    @property
    def code(self) -> grpc.StatusCode:
        """The gRPC status that carries this reason."""
        return self.value[0]


class MeshError(Exception):
    """A failure with a reason from the table.

    `message` is for people and logs and never holds what was said. `metadata` has lowerCamelCase
    keys with units. `retry_after_seconds`: wait this long before the same is tried again.
    `fields` names the bad fields of a request, field to what is wrong with it.
    """

    def __init__(
        self,
        reason: Reason | str,
        message: str,
        *,
        code: grpc.StatusCode | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after_seconds: float | None = None,
        fields: Mapping[str, str] | None = None,
        domain: str = "",
    ) -> None:
        super().__init__(f"{_name(reason)}: {message}")
        self.reason = _name(reason)
        self.code = code or _code(reason)
        self.message = message
        self.metadata = dict(metadata or {})
        self.retry_after_seconds = retry_after_seconds
        self.fields = dict(fields or {})
        self.domain = domain

    def is_reason(self, *reasons: Reason) -> bool:
        """Whether this error has one of these reasons."""
        return any(self.reason == reason.name for reason in reasons)

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed elsewhere or later, if it is idempotent."""
        return self.code is grpc.StatusCode.UNAVAILABLE


class PeerUnreachable(MeshError):
    """The peer gave no answer of its own: it refused the connection, broke it, or kept silent."""


def _name(reason: Reason | str) -> str:
    return reason.name if isinstance(reason, Reason) else reason


def _code(reason: Reason | str) -> grpc.StatusCode:
    if isinstance(reason, Reason):
        return reason.code
    known = Reason.__members__.get(reason)
    return known.code if known else grpc.StatusCode.UNKNOWN


def invalid(field: str, problem: str, reason: Reason = Reason.ARGUMENT_INVALID) -> MeshError:
    """A refusal of one field of a request, such as `invalid("ttl", "must be 1 s to 10 min")`."""
    return MeshError(reason, f"{field}: {problem}", fields={field: problem})


def status_of(error: MeshError, domain: str) -> status_pb2.Status:
    """The error as it goes over the wire; `domain` is `{service}.voicemesh`."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=domain, metadata=error.metadata)
    details = [_pack(info)]
    if error.retry_after_seconds is not None:
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after_seconds * 1000))
        details.append(_pack(error_details_pb2.RetryInfo(retry_delay=delay)))
    if error.fields:
        details.append(_pack(_bad_request(error.fields)))
    return status_pb2.Status(code=error.code.value[0], message=error.message, details=details)


def grpc_status_of(error: MeshError, domain: str) -> grpc.Status:
    """The same for `context.abort_with_status`."""
    made: grpc.Status = to_status(status_of(error, domain))
    return made


def from_rpc_error(error: grpc.aio.AioRpcError, peer: str = "") -> MeshError:
    """The MeshError that a failed call tells of. Without ErrorInfo it is a PeerUnreachable."""
    status = _rich_status(error)
    if status is None:
        return unreachable(error.code(), error.details() or "", peer)
    return from_status(status)


def from_status(status: status_pb2.Status) -> MeshError:
    """The MeshError in a `google.rpc.Status` with ErrorInfo."""
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    bad: dict[str, str] = {}
    for detail in status.details:
        if detail.Unpack(info):
            continue
        if detail.Unpack(retry):
            continue
        bad = _violations(detail) or bad
    return MeshError(
        info.reason or "INTERNAL_ERROR",
        status.message,
        code=_status_code(status.code),
        metadata=dict(info.metadata),
        retry_after_seconds=_seconds(retry),
        fields=bad,
        domain=info.domain,
    )


def unreachable(code: grpc.StatusCode, details: str, peer: str) -> PeerUnreachable:
    """No answer from `peer` (`host:port` or a service's name)."""
    where = f"{peer}: " if peer else ""
    return PeerUnreachable(code.name, f"{where}{details}", code=code, metadata={"peer": peer})


def _rich_status(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            raw = value if isinstance(value, bytes) else value.encode()
            return status_pb2.Status.FromString(raw)
    return None


def _pack(message: object) -> Any:
    packed = Any()
    packed.Pack(message)  # type: ignore[arg-type]
    return packed


def _bad_request(fields: Mapping[str, str]) -> error_details_pb2.BadRequest:
    violation = error_details_pb2.BadRequest.FieldViolation
    violations: Sequence[object] = [violation(field=f, description=d) for f, d in fields.items()]
    return error_details_pb2.BadRequest(field_violations=violations)


def _violations(detail: Any) -> dict[str, str]:
    bad = error_details_pb2.BadRequest()
    if not detail.Unpack(bad):
        return {}
    return {v.field: v.description for v in bad.field_violations}


def _seconds(retry: error_details_pb2.RetryInfo) -> float | None:
    return (
        retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None
    )


def _status_code(number: int) -> grpc.StatusCode:
    name = code_pb2.Code.Name(number)
    return grpc.StatusCode[name]
