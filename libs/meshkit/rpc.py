"""Calling another service: deadline, context, and errors that have a reason.

Nothing here is an interceptor, because on the client each costs a task; a call is one function.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from meshkit.context import outgoing_metadata
from meshkit.errors import MeshError, from_rpc_error
from meshkit.rpc_telemetry import asking

Request = TypeVar("Request")
Response = TypeVar("Response")


@dataclass(frozen=True, slots=True)
class Retry:
    """How an idempotent request is tried again, on UNAVAILABLE only.

    Waits `first_seconds`, doubling, with jitter of half; a RetryInfo of the peer goes before. Never
    past the deadline.
    """

    attempts: int = 3
    first_seconds: float = 0.05
    max_seconds: float = 1.0

    def delay_seconds(self, attempt: int, error: MeshError) -> float:
        """How long to wait after the `attempt`-th failure, counted from 0."""
        if error.retry_after_seconds is not None:
            return min(error.retry_after_seconds, self.max_seconds)
        full = min(self.first_seconds * 2.0**attempt, self.max_seconds)
        return full * (0.5 + random.random() / 2)  # noqa: S311 (jitter, not a secret)


NO_RETRY = Retry(attempts=1)


async def unary(stub: object, name: str, request: Any, *, timeout: float, peer: str = "") -> Any:
    """Call the unary method `name` of a stub once, within `timeout` seconds. Raises MeshError."""
    with asking(type(stub), name, peer):
        try:
            method = getattr(stub, name)
            return await method(request, timeout=timeout, metadata=outgoing_metadata())
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, peer) from None


async def unary_retrying(
    choose: Callable[[], tuple[object, str]],
    name: str,
    request: Any,
    *,
    timeout: float,
    retry: Retry = Retry(),
) -> Any:
    """Call an idempotent unary method, on whichever pod `choose` names for each attempt.

    `choose` gives the stub on a pod's channel, and the pod's address. `timeout` is for all
    attempts together. Raises the last MeshError.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    for attempt in range(retry.attempts):
        stub, peer = choose()
        try:
            return await unary(stub, name, request, timeout=deadline - loop.time(), peer=peer)
        except MeshError as error:
            wait = retry.delay_seconds(attempt, error)
            last = attempt + 1 == retry.attempts or loop.time() + wait >= deadline
            if last or not error.retryable:
                raise
            await asyncio.sleep(wait)
    raise AssertionError("a Retry has at least one attempt")
