"""What tools did for one caller, summed: limits that hold across pods, calls and restarts.

Durable records, in the class of tool claims. All runs of one subject are in one key, which goes by
itself two days after the last of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from memory.hotstore import HotStore
from memory.scripts import Value, load_script
from meshkit.errors import MeshError, Reason
from meshkit.names import parse_tool_request_id
from session_store.runner import milliseconds

LIFE_SECONDS = 2 * 86_400.0
MAX_RUNS = 2000
"""Most counted runs of one subject in two days."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A bound, and what a run adds."""

    name: str
    window: str
    """`CALL` or `DAY`."""
    amount: int
    most: int


@dataclass(frozen=True, slots=True)
class Passed:
    """The bound that a run would pass."""

    name: str
    window: str
    counted: int


class PolicyCounters:
    """Counts runs by subject; on disk before they are answered."""

    def __init__(self, hot: HotStore) -> None:
        self._hot = hot
        names = ("reserve_policy_counters", "give_back_policy_counters")
        self._scripts = {name: load_script("session_store.scripts", name) for name in names}

    async def reserve(
        self, request_id: str, subject: str, counters: Sequence[Counter], timeout: float
    ) -> Passed | None:
        """Count a run, or say which bound it would pass. Raises REQUEST_ID_REUSED."""
        session = parse_tool_request_id(request_id).session
        args: list[Value] = [request_id, session, milliseconds(LIFE_SECONDS), MAX_RUNS]
        for counter in counters:
            args += [counter.name, counter.window, counter.amount, counter.most]
        word, *rest = await self._run("reserve_policy_counters", subject, args, timeout)
        if word == b"REFUSED":
            name, window, counted = (part.decode() for part in rest)
            return Passed(name, window, int(counted))
        if word == b"FULL":
            return Passed(counters[0].name, counters[0].window, MAX_RUNS)
        if word == b"REUSED":
            raise MeshError(
                Reason.REQUEST_ID_REUSED, f"{request_id} was counted with other amounts"
            )
        return None

    async def give_back(self, request_id: str, subject: str, timeout: float) -> None:
        """Take a run out of the counts, if it is there."""
        await self._run("give_back_policy_counters", subject, [request_id], timeout)

    async def _run(
        self, name: str, subject: str, args: Sequence[Value], timeout: float
    ) -> Sequence[Any]:
        keys = [key_of(subject)]
        reply: Sequence[Any] = await self._hot.run(
            self._scripts[name], keys, args, timeout=timeout, durable=True
        )
        return reply


def key_of(subject: str) -> str:
    """The key of a subject's runs; a client's id may be a name, so only its digest is in it."""
    return f"voicemesh:policy:{hashlib.sha256(subject.encode()).hexdigest()[:40]}"
