"""A memo writes what changed and nothing else, and takes over what others wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from memory.azure_redis import AzureRedisManager
from memory.embedded import EmbeddedValkey
from memory.memo import MAX_HISTORY, MAX_QUEUE, MemoManager
from memory.memo_store import HistoryEntry, Memo, MemoChanges
from meshkit.errors import MeshError, Reason


class HeldStore:
    """A store whose saves wait until they are let go, and fail while told to."""

    def __init__(self) -> None:
        self.saved: list[MemoChanges] = []
        self.kept = Memo()
        self.failing = False
        self.gate = asyncio.Event()
        self.gate.set()

    def load_memo(self, session_id: str) -> Memo:
        return self.kept

    async def load_memo_async(self, session_id: str) -> Memo:
        return self.kept

    async def load_value_async(self, session_id: str, key: str) -> str | None:
        return self.kept.context.get(key)

    async def save_memo_async(
        self, session_id: str, changes: MemoChanges, ttl_seconds: float
    ) -> None:
        await self.gate.wait()
        if self.failing:
            raise MeshError(Reason.STORE_UNAVAILABLE, "nobody there")
        self.saved.append(changes)


@asynccontextmanager
async def real_store(folder: Path) -> AsyncIterator[AzureRedisManager]:
    """A Valkey server and a manager of it."""
    async with (
        EmbeddedValkey(folder) as valkey,
        AzureRedisManager(host="127.0.0.1", port=valkey.port, ssl=False) as manager,
    ):
        yield manager


@pytest.fixture
def store() -> HeldStore:
    return HeldStore()


@pytest.fixture
def memo(store: HeldStore) -> MemoManager:
    return MemoManager("s", store)


async def test_only_what_changed_is_written(memo: MemoManager, store: HeldStore) -> None:
    memo.set_context("a", 1)
    memo.append_to_history("user", "hi")
    await memo.persist_to_redis_async()
    memo.set_context("b", [2])
    memo.set_context("a", None)
    await memo.persist_to_redis_async()
    first, second = store.saved
    assert (dict(first.written), len(first.appended)) == ({"a": "1"}, 1)
    assert (dict(second.written), second.removed, second.appended) == ({"b": "[2]"}, ["a"], [])


async def test_what_could_not_be_written_is_written_next_time(
    memo: MemoManager, store: HeldStore
) -> None:
    memo.set_context("a", 1)
    memo.append_to_history("user", "hi")
    store.failing = True
    with pytest.raises(MeshError):
        await memo.persist_to_redis_async()
    store.failing = False
    memo.set_context("a", 2)
    await memo.persist_to_redis_async()
    assert dict(store.saved[0].written) == {"a": "2"}
    assert [entry.content for entry in store.saved[0].appended] == ["hi"]


async def test_what_changes_while_one_persist_runs_belongs_to_the_next(
    memo: MemoManager, store: HeldStore
) -> None:
    store.gate.clear()
    memo.set_context("a", 1)
    running = asyncio.create_task(memo.persist_to_redis_async())
    await asyncio.sleep(0)
    memo.set_context("a", 2)
    store.gate.set()
    await running
    await memo.persist_to_redis_async()
    assert [dict(changes.written) for changes in store.saved] == [{"a": "1"}, {"a": "2"}]


async def test_background_persists_are_joined(memo: MemoManager, store: HeldStore) -> None:
    store.gate.clear()
    for number in range(10):
        memo.set_context("n", number)
        memo.persist_background()
        await asyncio.sleep(0)
    store.gate.set()
    await memo.persisted()
    assert [dict(changes.written) for changes in store.saved] == [{"n": "0"}, {"n": "9"}]


async def test_a_background_persist_that_fails_loses_nothing(
    memo: MemoManager, store: HeldStore
) -> None:
    store.failing = True
    memo.set_context("a", 1)
    memo.persist_background()
    await memo.persisted()
    store.failing = False
    memo.persist_background()
    await memo.persisted()
    assert dict(store.saved[0].written) == {"a": "1"}


async def test_a_cancelled_persist_loses_nothing(memo: MemoManager, store: HeldStore) -> None:
    store.gate.clear()
    memo.set_context("a", 1)
    memo.persist_background()
    await asyncio.sleep(0)
    memo.cancel_pending_persist()
    await memo.persisted()
    store.gate.set()
    await memo.persist_to_redis_async()
    assert dict(store.saved[0].written) == {"a": "1"}


async def test_a_refresh_takes_what_others_wrote_and_keeps_what_is_ours(
    memo: MemoManager, store: HeldStore
) -> None:
    memo.set_context("ours", 1)
    memo.set_context("gone", None)
    memo.append_to_history("user", "new")
    theirs = HistoryEntry("0000000000001-000000-x", "default", "user", "old")
    store.kept = Memo({"ours": "9", "gone": "9", "theirs": "2"}, [theirs])
    await memo.refresh_from_redis_async()
    assert memo.get_context("ours") == 1
    assert memo.get_context("gone") is None
    assert memo.get_context("theirs") == 2
    assert [line["content"] for line in memo.get_history()] == ["old", "new"]


async def test_a_live_value_is_theirs_unless_ours_is_newer(
    memo: MemoManager, store: HeldStore
) -> None:
    store.kept = Memo({"k": '"theirs"'})
    assert await memo.get_live_context_value("k") == "theirs"
    assert await memo.get_live_context_value("none", 7) == 7
    memo.set_context("k", "ours")
    assert await memo.get_live_context_value("k") == "ours"


def test_history_is_of_the_agent_with_the_floor(memo: MemoManager) -> None:
    memo.append_to_history("user", "to nobody yet")
    memo.set_context("active_agent", "fraud")
    memo.append_to_history("user", "to fraud")
    memo.append_to_history("concierge", "assistant", "by name")
    assert memo.get_history() == [{"role": "user", "content": "to fraud"}]
    assert memo.get_history("concierge") == [{"role": "assistant", "content": "by name"}]
    memo.clear_history("fraud")
    assert memo.get_history() == []
    assert memo.get_history("default")
    memo.clear_history()
    assert not memo.get_history("default")


async def test_a_cleared_entry_goes_from_the_store_only_if_it_was_there(
    memo: MemoManager, store: HeldStore
) -> None:
    memo.append_to_history("user", "kept")
    await memo.persist_to_redis_async()
    memo.append_to_history("user", "never")
    memo.clear_history()
    await memo.persist_to_redis_async()
    assert list(store.saved[1].cleared) == [store.saved[0].appended[0].entry_id]
    assert not store.saved[1].appended


def test_history_and_queue_are_bounded(memo: MemoManager) -> None:
    for number in range(MAX_HISTORY + 5):
        memo.append_to_history("user", str(number))
    history = memo.get_history()
    assert (len(history), history[0]["content"]) == (MAX_HISTORY, "5")
    for number in range(MAX_QUEUE + 5):
        memo.enqueue_message(number)
    assert (memo.get_queue_size(), memo.get_next_message()) == (MAX_QUEUE, 5)
    memo.clear_queue()
    assert memo.get_next_message() is None


def test_slots_and_tool_outputs_have_names_of_their_own(memo: MemoManager) -> None:
    memo.update_slots({"date": "monday"})
    memo.persist_tool_output("balance", {"amount": 25})
    memo.set_context("date", "x")
    assert memo.get_slot("date") == "monday"
    assert memo.get_tool_output("balance") == {"amount": 25}
    assert memo.get_slot("none", "d") == "d"


def test_a_value_that_was_given_out_does_not_change_what_is_kept(memo: MemoManager) -> None:
    memo.set_context("list", [1])
    memo.get_context("list").append(2)
    assert memo.get_context("list") == [1]


def test_what_json_cannot_hold_is_refused(memo: MemoManager) -> None:
    with pytest.raises(TypeError):
        memo.set_context("k", object())
    assert memo.get_context("k") is None


async def test_without_a_store_persisting_says_so() -> None:
    with pytest.raises(ValueError, match="redis_mgr"):
        await MemoManager().persist_to_redis_async()


async def test_two_writers_of_one_session_do_not_undo_each_other(tmp_path: Path) -> None:
    async with real_store(tmp_path) as manager:
        one = await MemoManager.from_redis_async("s", manager)
        other = await MemoManager.from_redis_async("s", manager)
        one.set_context("a", 1)
        other.set_context("b", 2)
        for number in range(5):
            one.append_to_history("user", f"one {number}")
            other.append_to_history("user", f"other {number}")
        await asyncio.gather(one.persist_to_redis_async(), other.persist_to_redis_async())
        await one.persist_to_redis_async()
        read = await MemoManager.from_redis_async("s", manager)
        assert (read.get_context("a"), read.get_context("b")) == (1, 2)
        said = [line["content"] for line in read.get_history()]
        assert [text for text in said if text.startswith("one")] == [f"one {n}" for n in range(5)]
        assert len(said) == 10


async def test_a_memo_lives_as_long_as_told_and_can_be_cleared(tmp_path: Path) -> None:
    async with real_store(tmp_path) as manager:
        memo = MemoManager("s", manager)
        memo.set_context("a", 1)
        memo.append_to_history("user", "hi")
        await memo.persist_to_redis_async(ttl_seconds=60)
        for part in ("context", "history"):
            left = await manager._hot.command("PTTL", f"session:{{s}}:{part}")
            assert 50_000 < left <= 60_000
        memo.clear_history()
        memo.set_context("a", None)
        await memo.persist_to_redis_async()
        read = await MemoManager.from_redis_async("s", manager)
        assert (read.get_context("a"), read.get_history()) == (None, [])
