"""Runs by request_id: each takes place once on this pod, however often it is asked for.

A run belongs to this record, not to whoever asked: a caller that goes away stops listening, and the
tool goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from meshkit.errors import MeshError, Reason
from tool_executor.outcomes import Outcome

MAX_KEPT_BYTES = 16 * 1024 * 1024

Start = Callable[[], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class _Run:
    fingerprint: bytes
    task: asyncio.Task[Outcome]


@dataclass(frozen=True, slots=True)
class _Finished:
    fingerprint: bytes
    outcome: Outcome


class Runs:
    """Runs under way, and the outcomes of the last `kept` that finished (16 MiB at most)."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._running: dict[str, _Run] = {}
        self._finished: OrderedDict[str, _Finished] = OrderedDict()
        self._bytes = 0
        # Arguments may be four digits: without a key a digest of them is as good as they are.
        self._key = secrets.token_bytes(32)

    async def once(self, request_id: str, *content: str, start: Start) -> Outcome:
        """The outcome of the run with this id; `start` makes it, if it is not there yet.

        `content` is what must be the same whenever the id is the same. Raises REQUEST_ID_REUSED,
        and the MeshError of a run that did not take place; that one is forgotten.
        """
        fingerprint = self._fingerprint(content)
        if finished := self._finished.get(request_id):
            _check(request_id, finished.fingerprint, fingerprint)
            self._finished.move_to_end(request_id)
            return finished.outcome
        run = self._running.get(request_id)
        if run is None:
            run = self._begin(request_id, fingerprint, start)
        _check(request_id, run.fingerprint, fingerprint)
        return await asyncio.shield(run.task)

    @property
    def running(self) -> int:
        """How many runs are under way."""
        return len(self._running)

    @property
    def finished(self) -> int:
        """How many outcomes are kept."""
        return len(self._finished)

    async def drain(self, seconds: float) -> None:
        """Wait for the runs under way, at most so long; then stop them."""
        tasks = {run.task for run in self._running.values()}
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _begin(self, request_id: str, fingerprint: bytes, start: Start) -> _Run:
        async def run() -> Outcome:
            try:
                outcome = await start()
            finally:
                del self._running[request_id]
            self._keep(request_id, _Finished(fingerprint, outcome))
            return outcome

        task = asyncio.create_task(run())
        task.add_done_callback(_retrieve)
        self._running[request_id] = _Run(fingerprint, task)
        return self._running[request_id]

    def _keep(self, request_id: str, finished: _Finished) -> None:
        self._finished[request_id] = finished
        self._bytes += finished.outcome.size
        while len(self._finished) > self._kept or self._bytes > MAX_KEPT_BYTES:
            _, oldest = self._finished.popitem(last=False)
            self._bytes -= oldest.outcome.size

    def _fingerprint(self, content: tuple[str, ...]) -> bytes:
        digest = hashlib.blake2b(key=self._key, digest_size=16)
        for part in content:
            encoded = part.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
        return digest.digest()


def _check(request_id: str, known: bytes, given: bytes) -> None:
    if known != given:
        raise MeshError(
            Reason.REQUEST_ID_REUSED, f"{request_id} was used with another tool or other arguments"
        )


def _retrieve(task: asyncio.Task[Outcome]) -> None:
    """If everyone who listened went away, nobody else asks for the exception."""
    if not task.cancelled():
        task.exception()
