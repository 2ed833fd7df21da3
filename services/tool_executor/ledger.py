"""What a session has run on this pod: how often, how often the same, how often without success.

In memory and bounded: the least recently used of 10,000 sessions is forgotten. It stops a model that
goes round in circles and a caller who guesses; it is no proof of anything. What another pod ran comes
with the request, by the journal of whoever asks (`at_least`).
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_SESSIONS = 10_000


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted before a run that is now to be decided on."""

    failed: int = 0
    """Unsuccessful runs of this tool in the session."""
    repeats: int = 0
    """Runs of this tool with these arguments in this turn."""
    in_turn: int = 0
    """Runs of any tool in this turn."""
    in_call: int = 0
    """Runs of any tool in this session."""

    def at_least(self, told: Counts) -> Counts:
        """The larger of each."""
        return Counts(
            failed=max(self.failed, told.failed),
            repeats=max(self.repeats, told.repeats),
            in_turn=max(self.in_turn, told.in_turn),
            in_call=max(self.in_call, told.in_call),
        )


NONE = Counts()


@dataclass(slots=True)
class _Session:
    turn: str = ""
    in_turn: int = 0
    in_call: int = 0
    repeats: Counter[tuple[str, int]] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)


class Ledger:
    """Counts by session."""

    def __init__(self, most: int = MAX_SESSIONS) -> None:
        self._most = most
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def counts(self, session: str, turn: str, tool: str, arguments: Mapping[str, Any]) -> Counts:
        """What was counted so far."""
        entry = self._sessions.get(session)
        if entry is None:
            return NONE
        same_turn = entry.turn == turn
        return Counts(
            failed=entry.failed[tool],
            repeats=entry.repeats[_key(tool, arguments)] if same_turn else 0,
            in_turn=entry.in_turn if same_turn else 0,
            in_call=entry.in_call,
        )

    def begun(self, session: str, turn: str, tool: str, arguments: Mapping[str, Any]) -> None:
        """A run begins. It counts as unsuccessful until it succeeds, so that several at once do."""
        entry = self._sessions.setdefault(session, _Session())
        self._sessions.move_to_end(session)
        if entry.turn != turn:
            entry.turn, entry.in_turn, entry.repeats = turn, 0, Counter()
        entry.in_turn += 1
        entry.in_call += 1
        entry.repeats[_key(tool, arguments)] += 1
        entry.failed[tool] += 1
        if len(self._sessions) > self._most:
            self._sessions.popitem(last=False)

    def succeeded(self, session: str, tool: str) -> None:
        """A run was successful, and does not count among the unsuccessful ones any more."""
        if (entry := self._sessions.get(session)) and entry.failed[tool]:
            entry.failed[tool] -= 1


def _key(tool: str, arguments: Mapping[str, Any]) -> tuple[str, int]:
    """Python's hash of a text has a key of its own in each process, so it tells nothing outside."""
    return tool, hash(repr(sorted(arguments.items())))
