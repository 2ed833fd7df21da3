"""How a run came out, as the journal keeps it and the model hears it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pydantic_core
from google.protobuf.duration_pb2 import Duration

from toolkit import Policy, ToolResult
from voicemesh.tools.v1.outcome_pb2 import ToolOutcome

MAX_RESULT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Failure:
    """What the model hears instead of a result."""

    reason: str
    """UPPER_SNAKE_CASE; the list is at `ToolFailure` in outcome.proto."""
    message: str
    """What to mend, or what to say to the caller."""
    retryable: bool = False
    """Whether the same call may work later."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result or a failure."""

    result_json: str = ""
    failure: Failure | None = None
    seconds: float | None = None
    """Time in the tool's body; None if it did not run."""
    earlier: bool = field(default=False, compare=False)
    """Whether it was read from the store: another request, or another pod, came to it."""
    traceparent: str = field(default="", compare=False)
    """Span of the run, for whoever is given the outcome again."""

    @property
    def succeeded(self) -> bool:
        """Whether there is a result, of whatever success."""
        return self.failure is None

    @property
    def size(self) -> int:
        """About how many bytes it takes to keep."""
        return len(self.result_json) + 512


class OutputTooLarge(Exception):
    """A result is over the bound."""


class NotJson(Exception):
    """A result holds what JSON does not."""


def refusal(reason: str, message: str, *, retryable: bool = False) -> Outcome:
    """The outcome of a run that did not take place."""
    return Outcome(failure=Failure(reason, message, retryable))


def written(outcome: Outcome) -> ToolOutcome:
    """The outcome as it goes over the wire and into the store; times are whole microseconds."""
    told = ToolOutcome(traceparent=outcome.traceparent)
    if outcome.failure is None:
        told.result_json = outcome.result_json
    else:
        failure = outcome.failure
        told.failure.reason = failure.reason
        told.failure.message = failure.message
        told.failure.retryable = failure.retryable
    if outcome.seconds is not None:
        told.execution_duration.CopyFrom(duration(outcome.seconds))
    return told


def read(told: ToolOutcome) -> Outcome:
    """The outcome that was written: written again, it is the same byte for byte."""
    ran = told.HasField("execution_duration")
    seconds = told.execution_duration.ToMicroseconds() / 1e6 if ran else None
    if told.WhichOneof("outcome") == "failure":
        failure = told.failure
        return Outcome(
            failure=Failure(failure.reason, failure.message, failure.retryable),
            seconds=seconds,
            earlier=True,
            traceparent=told.traceparent,
        )
    return Outcome(
        result_json=told.result_json,
        seconds=seconds,
        earlier=True,
        traceparent=told.traceparent,
    )


def duration(seconds: float) -> Duration:
    """Seconds as the wire has them."""
    made = Duration()
    made.FromMicroseconds(round(seconds * 1e6))
    return made


def shown_json(result: ToolResult, policy: Policy) -> str:
    """What the model may see of a result, as JSON text. Raises OutputTooLarge, NotJson."""
    try:
        text = pydantic_core.to_json(_shown(result, policy), inf_nan_mode="constants")
    except (pydantic_core.PydanticSerializationError, ValueError, RecursionError):
        raise NotJson from None
    if len(text) > MAX_RESULT_BYTES:
        raise OutputTooLarge
    return text.decode()


def _shown(result: ToolResult, policy: Policy) -> Mapping[str, Any]:
    fields = result.as_fields()
    if policy.shows is None:
        return fields
    visible = policy.shows | {"success", "message"}
    return {name: value for name, value in fields.items() if name in visible}
