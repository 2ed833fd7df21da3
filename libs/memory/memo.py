"""MemoManager: what an agent remembers of a session, near at hand and written behind.

    memo = MemoManager.from_redis(session_id, redis_mgr)
    memo.append_to_history("user", "Hello")
    memo.set_context("target_number", "+1234567890")
    await memo.persist_to_redis_async(redis_mgr)

Only what changed is written, key by key and entry by entry, so that two writers of one session do
not undo each other. Nothing is written before a persist. The store is a MemoStore, such as
AzureRedisManager.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections import deque
from collections.abc import Mapping
from typing import Any, Self, overload

from memory.memo_store import HistoryEntry, Memo, MemoChanges, MemoStore
from meshkit.clock import Clock, SystemClock
from meshkit.errors import MeshError
from meshkit.logging import get_logger

logger = get_logger("memory.memo")

TTL_SECONDS = 7200.0
"""How long a memo lives after it was last persisted, unless told otherwise."""
MAX_HISTORY = 1000
"""Most entries of a history; the oldest go."""
MAX_QUEUE = 100
"""Most messages that wait to be spoken."""
NO_AGENT = "default"
"""Whose history it is while no agent has the floor."""

_AGENT, _SLOTS, _OUTPUTS = "active_agent", "slots", "tool_outputs"


class MemoManager:
    """The memory of one session. Values are what JSON can hold.

    `session_id` defaults to a random one. Not for use by several threads.
    """

    def __init__(
        self,
        session_id: str | None = None,
        redis_mgr: MemoStore | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self.session_id = session_id or secrets.token_hex(8)
        self._store = redis_mgr
        self._clock = clock or SystemClock()
        self._count = itertools.count()
        self._writer = secrets.token_hex(3)
        self._context: dict[str, str] = {}
        self._history: list[HistoryEntry] = []
        self._changed: set[str] = set()
        self._appended: dict[str, HistoryEntry] = {}
        self._cleared: set[str] = set()
        self._queue: deque[Any] = deque(maxlen=MAX_QUEUE)
        self._persisting: asyncio.Task[None] | None = None
        self._again = False

    @classmethod
    def from_redis(cls, session_id: str, redis_mgr: MemoStore) -> Self:
        """The memory of a session, empty if none is kept.

        Blocks for one look at Redis; within an event loop use `from_redis_async`.
        """
        memo = cls(session_id, redis_mgr)
        memo._take(redis_mgr.load_memo(session_id))
        return memo

    @classmethod
    async def from_redis_async(cls, session_id: str, redis_mgr: MemoStore) -> Self:
        """As `from_redis`, without blocking."""
        memo = cls(session_id, redis_mgr)
        memo._take(await redis_mgr.load_memo_async(session_id))
        return memo

    @classmethod
    def of(cls, session_id: str, store: MemoStore, kept: Memo) -> Self:
        """The memory of a session that was read from `store` already."""
        memo = cls(session_id, store)
        memo._take(kept)
        return memo

    # Context: what prompts may use.

    def get_all_context(self) -> dict[str, Any]:
        """Every key with its value, a copy."""
        return {key: json.loads(text) for key, text in self._context.items()}

    def get_context(self, key: str, default: Any = None) -> Any:
        """The value of a key, a copy of it."""
        return json.loads(self._context[key]) if key in self._context else default

    def set_context(self, key: str, value: Any) -> None:
        """Set a key; None removes it. Raises TypeError for what JSON cannot hold."""
        if value is None:
            self._context.pop(key, None)
        else:
            self._context[key] = json.dumps(value)
        self._changed.add(key)

    def update_context(self, values: Mapping[str, Any]) -> None:
        """Set several keys."""
        for key, value in values.items():
            self.set_context(key, value)

    async def get_live_context_value(self, key: str, default: Any = None) -> Any:
        """The value as another process last wrote it; ours, if it is not persisted yet."""
        if key in self._changed:
            return self.get_context(key, default)
        text = await self._required().load_value_async(self.session_id, key)
        return default if text is None else json.loads(text)

    # History: what was said, agent by agent.

    @overload
    def append_to_history(self, role: str, content: str, /) -> None: ...
    @overload
    def append_to_history(self, agent: str, role: str, content: str, /) -> None: ...
    def append_to_history(self, *said: str) -> None:
        """Add what a role said: `(role, content)` for the agent with the floor, or `(agent, role,
        content)`.
        """
        agent, role, content = said if len(said) == 3 else (self._agent(), *said)
        entry = HistoryEntry(self._next_id(), agent, role, content)
        self._history.append(entry)
        self._appended[entry.entry_id] = entry
        for old in self._history[:-MAX_HISTORY]:
            self._forget(old)

    def get_history(self, agent: str | None = None) -> list[dict[str, str]]:
        """`role` and `content` of each entry, oldest first; of the agent with the floor."""
        wanted = agent or self._agent()
        return [
            {"role": entry.role, "content": entry.content}
            for entry in self._history
            if entry.agent == wanted
        ]

    def clear_history(self, agent: str | None = None) -> None:
        """Forget an agent's history, or that of all."""
        for entry in [e for e in self._history if agent in (None, e.agent)]:
            self._forget(entry)

    # Slots and tool outputs: parts of the context with names of their own.

    def get_slot(self, name: str, default: Any = None) -> Any:
        """What the caller said for a slot."""
        return self.get_context(f"{_SLOTS}.{name}", default)

    def update_slots(self, slots: Mapping[str, Any]) -> None:
        """Fill slots."""
        self.update_context({f"{_SLOTS}.{name}": value for name, value in slots.items()})

    def get_tool_output(self, tool: str, default: Any = None) -> Any:
        """What a tool last returned."""
        return self.get_context(f"{_OUTPUTS}.{tool}", default)

    def persist_tool_output(self, tool: str, output: Any) -> None:
        """Remember what a tool returned."""
        self.set_context(f"{_OUTPUTS}.{tool}", output)

    # Queue: what waits to be spoken. It is of this process and is not persisted.

    def enqueue_message(self, message: Any) -> None:
        """Have a message wait; beyond MAX_QUEUE the oldest goes."""
        self._queue.append(message)

    def get_next_message(self) -> Any | None:
        """The message that waits longest, None if none does."""
        return self._queue.popleft() if self._queue else None

    def get_queue_size(self) -> int:
        """How many messages wait."""
        return len(self._queue)

    def clear_queue(self) -> None:
        """Forget what waits, as when the caller interrupts."""
        self._queue.clear()

    # Persistence.

    async def persist_to_redis_async(
        self, redis_mgr: MemoStore | None = None, ttl_seconds: float = TTL_SECONDS
    ) -> None:
        """Write what changed. After an error it is still to be written. Raises MeshError."""
        store = redis_mgr or self._required()
        changes = self._changes()
        changed, self._changed = self._changed, set()
        appended, self._appended = self._appended, {}
        cleared, self._cleared = self._cleared, set()
        try:
            await store.save_memo_async(self.session_id, changes, ttl_seconds)
        except BaseException:
            self._changed |= changed
            self._appended = {**appended, **self._appended}
            self._cleared |= cleared
            raise

    def persist_background(self, ttl_seconds: float = TTL_SECONDS) -> None:
        """Persist without waiting. While one runs, another call has it run once more, and no more.

        Call `persisted` before the process ends.
        """
        if self._persisting is not None and not self._persisting.done():
            self._again = True
            return
        self._persisting = asyncio.create_task(self._persist_until_clean(ttl_seconds))

    async def persisted(self) -> None:
        """Wait for the persist under way, if there is one."""
        if self._persisting is not None:
            await asyncio.gather(self._persisting, return_exceptions=True)

    def cancel_pending_persist(self) -> None:
        """Give up a persist under way; what changed is still to be written."""
        self._again = False
        if self._persisting is not None:
            self._persisting.cancel()

    async def refresh_from_redis_async(self, redis_mgr: MemoStore | None = None) -> None:
        """Take over what others wrote. What is not persisted here yet stays as it is here."""
        store = redis_mgr or self._required()
        self._take(await store.load_memo_async(self.session_id))

    async def _persist_until_clean(self, ttl_seconds: float) -> None:
        while True:
            self._again = False
            try:
                await self.persist_to_redis_async(ttl_seconds=ttl_seconds)
            except MeshError as error:
                logger.warning("memo not persisted", extra={"cause": error.message})
                return
            if not self._again:
                return

    def _changes(self) -> MemoChanges:
        return MemoChanges(
            written={key: self._context[key] for key in self._changed & set(self._context)},
            removed=sorted(self._changed - set(self._context)),
            appended=list(self._appended.values()),
            cleared=sorted(self._cleared),
        )

    def _take(self, kept: Memo) -> None:
        ours = {key: self._context[key] for key in self._changed & set(self._context)}
        theirs = {key: value for key, value in kept.context.items() if key not in self._changed}
        self._context = {**theirs, **ours}
        entries = {e.entry_id: e for e in kept.history if e.entry_id not in self._cleared}
        self._history = [e for _, e in sorted({**entries, **self._appended}.items())]

    def _forget(self, entry: HistoryEntry) -> None:
        self._history.remove(entry)
        if self._appended.pop(entry.entry_id, None) is None:
            self._cleared.add(entry.entry_id)

    def _agent(self) -> str:
        return str(self.get_context(_AGENT, NO_AGENT))

    def _next_id(self) -> str:
        milliseconds = int(self._clock.now().timestamp() * 1000)
        return f"{milliseconds:013d}-{next(self._count):06d}-{self._writer}"

    def _required(self) -> MemoStore:
        if self._store is None:
            raise ValueError("this memo has no store: pass redis_mgr")
        return self._store
