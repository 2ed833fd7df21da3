"""Where a MemoManager's memory is kept: the port, and what passes through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of an agent's history."""

    entry_id: str
    """Sorts in the order of writing; writing it again changes nothing."""
    agent: str
    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Memo:
    """What is kept of a session."""

    context: Mapping[str, str] = field(default_factory=dict)
    """Key to JSON text."""
    history: Sequence[HistoryEntry] = ()
    """Oldest first."""


@dataclass(frozen=True, slots=True)
class MemoChanges:
    """What one writer changed since it last wrote. Other keys and entries are left as they are."""

    written: Mapping[str, str] = field(default_factory=dict)
    removed: Sequence[str] = ()
    appended: Sequence[HistoryEntry] = ()
    cleared: Sequence[str] = ()
    """Ids of entries that are to go."""

    def __bool__(self) -> bool:
        return bool(self.written or self.removed or self.appended or self.cleared)


class MemoStore(Protocol):
    """Keeps memos. Raises MeshError with STORE_UNAVAILABLE or STORE_FULL."""

    def load_memo(self, session_id: str) -> Memo:
        """What is kept, empty if nothing. Blocks; for code outside an event loop."""
        ...

    async def load_memo_async(self, session_id: str) -> Memo:
        """What is kept, empty if nothing."""
        ...

    async def load_value_async(self, session_id: str, key: str) -> str | None:
        """The JSON text of one context key, None if there is none."""
        ...

    async def save_memo_async(
        self, session_id: str, changes: MemoChanges, ttl_seconds: float
    ) -> None:
        """Write the changes, all or none, and have the memo live for `ttl_seconds`."""
        ...
