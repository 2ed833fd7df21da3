"""Redis with each round trip told: a span within the request that waits for it, and its time.

The keys of a script are of one session and its arguments what was said: neither is told, only the
script's name. Requests that have no span of their own (`meshkit.spans_table.QUIET`) have none here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any

from memory.hotstore import HotStore
from memory.scripts import Script, ScriptCall, Value
from meshkit import metrics, telemetry
from meshkit.telemetry import is_recording, span

_OFF: AbstractContextManager[None] = nullcontext()


def store_kind() -> type[HotStore]:
    """The class of the connection: a plain one where nobody is told."""
    return TimedHotStore if telemetry.is_on() or metrics.is_on() else HotStore


class TimedHotStore(HotStore):
    """A HotStore that tells what it was asked for, and how long that took."""

    async def run(
        self,
        script: Script,
        keys: Sequence[str],
        args: Sequence[Value] = (),
        *,
        timeout: float | None = None,
        durable: bool = False,
    ) -> Any:
        """See HotStore."""
        with _Told(script.name):
            return await super().run(script, keys, args, timeout=timeout, durable=durable)

    async def run_together(
        self, calls: Sequence[ScriptCall], *, timeout: float | None = None
    ) -> list[Any]:
        """See HotStore."""
        with _Told(operation_of(calls)):
            return await super().run_together(calls, timeout=timeout)

    async def command(
        self, *parts: Value, timeout: float | None = None, repeatable: bool = True
    ) -> Any:
        """See HotStore."""
        with _Told(str(parts[0])):
            return await super().command(*parts, timeout=timeout, repeatable=repeatable)


def operation_of(calls: Sequence[ScriptCall]) -> str:
    """The scripts of one round trip, each once: `append_events+get_session`."""
    return "+".join(dict.fromkeys(call.script.name for call in calls))


class _Told:
    """Around one round trip."""

    __slots__ = ("_began", "_operation", "_span")

    def __init__(self, operation: str) -> None:
        self._operation = operation
        self._span = _span(operation) if is_recording() else _OFF

    def __enter__(self) -> None:
        self._span.__enter__()
        self._began = time.monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        outcome = "failed" if error else "ok"
        if isinstance(error, asyncio.CancelledError):
            outcome = "cancelled"
        seconds = time.monotonic() - self._began
        metrics.record(
            "voicemesh_redis_seconds", seconds, operation=self._operation, outcome=outcome
        )
        self._span.__exit__(kind, error, at)


def _span(operation: str) -> AbstractContextManager[None]:
    return span(
        "redis", "client", of=operation, db__system__name="redis", db__operation__name=operation
    )
