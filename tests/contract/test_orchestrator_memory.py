"""A MemoManager over gRPC: a real session-store on Valkey behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from memory.memo import MemoManager
from meshkit.endpoints import endpoint_source
from meshkit.errors import MeshError, Reason
from meshkit.fleet import Fleet
from orchestrator.memory import SessionMemory
from tests.support.orchestrator_rig import Line, orchestrator_rig
from tests.support.store import RunningStore, running_store
from tests.support.store_calls import GATEWAY_A, acquire, create, get, journal
from tests.support.tool_double import tool_double
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RunningStore]:
    async with running_store(tmp_path) as running:
        yield running


@pytest.fixture
async def fleet(store: RunningStore) -> AsyncIterator[Fleet]:
    async with Fleet("session-store", endpoint_source(f"static:{store.address}")) as running:
        yield running


async def loaded(fleet: Fleet, epoch: int = 0) -> MemoManager:
    return await MemoManager.from_redis_async("a", SessionMemory(fleet, epoch))


async def test_the_samples_memory_is_kept_by_the_session_store(fleet: Fleet) -> None:
    memory_manager = await loaded(fleet)
    memory_manager.append_to_history("user", "Hello")
    memory_manager.append_to_history("assistant", "Hi there!")
    memory_manager.set_context("target_number", "+1234567890")
    await memory_manager.persist_to_redis_async()

    again = await loaded(fleet)
    assert again.get_history() == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi there!"},
    ]
    assert again.get_context("target_number") == "+1234567890"


async def test_context_slots_and_tool_outputs_are_keys_of_the_session(
    store: RunningStore, fleet: Fleet
) -> None:
    await create(store, context_json={"branch": '"North"', "old": "1"})
    memory = await loaded(fleet)
    memory.update_slots({"amount": 12.5})
    memory.persist_tool_output("get_balance", {"balance": 7})
    memory.set_context("old", None)
    await memory.persist_to_redis_async()
    assert dict((await get(store)).context_json) == {
        "branch": '"North"',
        "slots.amount": "12.5",
        "tool_outputs.get_balance": '{"balance": 7}',
    }
    assert (await loaded(fleet)).get_slot("amount") == 12.5


async def test_the_agent_with_the_floor_is_the_sessions(store: RunningStore, fleet: Fleet) -> None:
    await create(store, active_agent="agents/concierge")
    memory = await loaded(fleet)
    assert memory.get_context("active_agent") == "concierge"
    memory.append_to_history("user", "I lost my card")
    memory.append_to_history("assistant", "I will hand you over.")
    memory.set_context("active_agent", "fraud_desk")
    memory.append_to_history("assistant", "Fraud desk here.")
    await memory.persist_to_redis_async()
    session = await get(store)
    assert session.active_agent == "agents/fraud_desk"
    assert not session.context_json
    again = await loaded(fleet)
    assert [entry["content"] for entry in again.get_history()] == ["Fraud desk here."]
    assert again.get_history("concierge") == [
        {"role": "user", "content": "I lost my card"},
        {"role": "assistant", "content": "I will hand you over."},
    ]


async def test_two_writers_do_not_undo_each_other_and_one_sees_the_other(fleet: Fleet) -> None:
    one, other = await loaded(fleet), await loaded(fleet)
    one.set_context("a", 1)
    other.set_context("b", 2)
    one.append_to_history("user", "One")
    await one.persist_to_redis_async()
    await other.persist_to_redis_async()
    assert await one.get_live_context_value("b") == 2
    await other.refresh_from_redis_async()
    assert (other.get_context("a"), other.get_context("b")) == (1, 2)
    assert other.get_history() == [{"role": "user", "content": "One"}]
    await one.refresh_from_redis_async()
    assert one.get_history() == other.get_history()  # what was appended is there once


async def test_a_persist_that_is_repeated_says_nothing_twice(
    store: RunningStore, fleet: Fleet
) -> None:
    memory = await loaded(fleet)
    memory.append_to_history("assistant", "Hi")
    changes = memory._changes()
    for _ in range(2):
        await SessionMemory(fleet).save_memo_async("a", changes, 60)
    assert len([e for e in (await journal(store)).events if e.HasField("segment")]) == 1
    assert len((await loaded(fleet)).get_history()) == 1


async def test_a_session_that_is_not_there_is_an_empty_memory(fleet: Fleet) -> None:
    memory = await loaded(fleet)
    assert memory.get_history() == []
    assert await memory.get_live_context_value("any", "none") == "none"


async def test_an_owner_of_before_writes_nothing(store: RunningStore, fleet: Fleet) -> None:
    await create(store)
    epoch = (await acquire(store, GATEWAY_A, "r")).owner.epoch
    old, new = await loaded(fleet, epoch - 1), await loaded(fleet, epoch)
    for memory in (old, new):
        memory.set_context("k", 1)
        memory.append_to_history("user", "Hello")
    with pytest.raises(MeshError) as refused:
        await old.persist_to_redis_async()
    assert refused.value.is_reason(Reason.CALL_OWNER_SUPERSEDED)
    await new.persist_to_redis_async()
    assert (await loaded(fleet)).get_history() == [{"role": "user", "content": "Hello"}]


async def test_a_session_that_a_call_owned_is_not_made_anew(fleet: Fleet) -> None:
    memory = await loaded(fleet, epoch=3)
    memory.set_context("k", 1)
    with pytest.raises(MeshError) as refused:
        await memory.persist_to_redis_async()
    assert refused.value.is_reason(Reason.SESSION_NOT_FOUND)


async def test_what_was_said_is_not_taken_back(fleet: Fleet) -> None:
    memory = await loaded(fleet)
    memory.append_to_history("user", "Hello")
    await memory.persist_to_redis_async()
    memory.clear_history()
    with pytest.raises(MeshError, match="the journal keeps what was said"):
        await memory.persist_to_redis_async()


async def test_a_role_that_nobody_on_the_phone_has_is_refused(fleet: Fleet) -> None:
    memory = await loaded(fleet)
    memory.append_to_history("system", "Be kind")
    with pytest.raises(MeshError, match="not system"):
        await memory.persist_to_redis_async()


async def test_a_store_that_is_away_is_named_and_the_changes_wait(
    store: RunningStore, fleet: Fleet
) -> None:
    memory = await loaded(fleet)
    memory.set_context("k", 1)
    async with Fleet("session-store", endpoint_source("static:127.0.0.1:1")) as nobody:
        with pytest.raises(MeshError) as refused:
            await memory.persist_to_redis_async(SessionMemory(nobody))
    assert refused.value.is_reason(Reason.STORE_UNAVAILABLE)
    await memory.persist_to_redis_async()
    assert (await get(store)).context_json["k"] == "1"


async def test_a_memory_over_grpc_is_not_loaded_without_an_event_loop(fleet: Fleet) -> None:
    with pytest.raises(RuntimeError, match="from_redis_async"):
        MemoManager.from_redis("a", SessionMemory(fleet))


async def test_facts_that_a_call_brings_reach_the_prompt_and_are_kept(store: RunningStore) -> None:
    await create(store, context_json={"branch": '"North"'}, active_agent="agents/concierge")
    async with (
        tool_double() as tools,
        orchestrator_rig(store.address, tools.address) as rig,
        Line(rig.channel) as line,
    ):
        facts = {"branch": '"North"', "target_number": '"+15550100"'}
        start = pb.ConversationStart(
            session="sessions/a", scenario="scenarios/banking", context_json=facts
        )
        await line.stream.send(pb.ConverseRequest(start=start))
        await line.answered("greeting")
        await line.ask("u1", "Hello")
        await line.hang_up()
        await line.end()
    prompt = rig.model.requests[0]["messages"][0]["content"]
    assert "target_number: +15550100" in prompt
    assert "active_agent" not in prompt
    assert dict((await get(store)).context_json) == facts
    changed = [e.context_changed for e in (await journal(store)).events]
    assert [dict(c.written) for c in changed if c.written] == [{"target_number": '"+15550100"'}]
