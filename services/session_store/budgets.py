"""Times that requests bring: what is left of a deadline, and how long something is to live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.duration_pb2 import Duration

from meshkit.errors import MeshError, Reason, invalid

if TYPE_CHECKING:
    import grpc

MIN_TTL_SECONDS = 1.0
MAX_OWNER_SECONDS = 600.0
MAX_SESSION_SECONDS = 604_800.0

_FOR_THE_ANSWER = 0.9


def budget(context: grpc.aio.ServicerContext[Any, Any], most: float) -> float:
    """Seconds that Redis may take, so that a refusal still reaches the caller in time."""
    left = context.time_remaining()
    return most if left is None else max(0.001, min(most, left * _FOR_THE_ANSWER))


def owner_ttl(given: Duration | None, default: float) -> float:
    """Seconds an ownership lasts. Raises TTL_OUT_OF_RANGE."""
    seconds = _seconds(given, default)
    if not MIN_TTL_SECONDS <= seconds <= MAX_OWNER_SECONDS:
        problem = f"must be {MIN_TTL_SECONDS:g} s to {MAX_OWNER_SECONDS:g} s"
        raise invalid("ttl", problem, Reason.TTL_OUT_OF_RANGE)
    return seconds


def session_ttl(given: Duration | None, default: float) -> float:
    """Seconds a session lives untouched. Raises ARGUMENT_INVALID."""
    seconds = _seconds(given, default)
    if not MIN_TTL_SECONDS <= seconds <= MAX_SESSION_SECONDS:
        raise _out_of_range()
    return seconds


def _seconds(given: Duration | None, default: float) -> float:
    return default if given is None else given.ToTimedelta().total_seconds()


def _out_of_range() -> MeshError:
    return invalid("ttl", f"must be {MIN_TTL_SECONDS:g} s to {MAX_SESSION_SECONDS:g} s (7 days)")
