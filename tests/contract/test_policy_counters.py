"""Limits on what tools do are kept whichever pod asks, however often, and on whatever day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from session_store.policy_counters import key_of
from tests.support.store import RunningStore, Servers, running_store
from tests.support.store_calls import refused
from voicemesh.session.v1 import policy_counter_pb2 as pb

CALL, DAY = pb.PolicyCounter.WINDOW_CALL, pb.PolicyCounter.WINDOW_DAY
DAY_SECONDS = 86_400


@pytest.fixture
async def store(servers: Servers | None, tmp_path: Path) -> AsyncIterator[RunningStore]:
    async with running_store(tmp_path, servers=servers) as running:
        yield running


def counter(amount: int, most: int, window: Any = DAY, name: str = "refund/amount") -> Any:
    return pb.PolicyCounter(counter=name, window=window, amount=amount, most=most)


async def reserve(store: RunningStore, run: str, *counters: Any, subject: str = "alice") -> Any:
    request = pb.ReservePolicyCountersRequest(
        request_id=f"sessions/{run}", subject=subject, counters=counters
    )
    return await store.counters.ReservePolicyCounters(request)


async def give_back(store: RunningStore, run: str, subject: str = "alice") -> None:
    request = pb.GiveBackPolicyCountersRequest(request_id=f"sessions/{run}", subject=subject)
    await store.counters.GiveBackPolicyCounters(request)


async def test_the_run_past_the_day_s_limit_is_refused_in_any_call(store: RunningStore) -> None:
    assert (await reserve(store, "a/t1/0/0", counter(6000, 10_000))).granted
    answer = await reserve(store, "b/t1/0/0", counter(4001, 10_000))
    assert not answer.granted
    assert (answer.refused_counter, answer.refused_window) == ("refund/amount", DAY)
    assert answer.counted == 6000
    assert (await reserve(store, "b/t1/0/1", counter(4000, 10_000))).granted


async def test_a_call_s_limit_is_the_call_s(store: RunningStore) -> None:
    assert (await reserve(store, "a/t1/0/0", counter(2, 2, CALL))).granted
    assert not (await reserve(store, "a/t2/0/0", counter(1, 2, CALL))).granted
    assert (await reserve(store, "b/t1/0/0", counter(2, 2, CALL))).granted


async def test_one_client_s_refunds_are_not_another_s(store: RunningStore) -> None:
    assert (await reserve(store, "a/t1/0/0", counter(5, 5))).granted
    assert (await reserve(store, "b/t1/0/0", counter(5, 5), subject="bob")).granted


async def test_all_counters_are_taken_or_none(store: RunningStore) -> None:
    both = [counter(5, 100), counter(1, 1, CALL, "refund/runs")]
    assert (await reserve(store, "a/t1/0/0", *both)).granted
    answer = await reserve(store, "a/t2/0/0", *both)
    assert answer.refused_counter == "refund/runs"
    assert (await reserve(store, "b/t1/0/0", counter(95, 100))).granted


async def test_asking_again_counts_once(store: RunningStore) -> None:
    for _ in range(3):
        assert (await reserve(store, "a/t1/0/0", counter(6, 10))).granted
    assert not (await reserve(store, "a/t1/0/1", counter(5, 10))).granted
    error = await refused(reserve(store, "a/t1/0/0", counter(4, 10)))
    assert error.reason == "REQUEST_ID_REUSED"


async def test_of_many_at_once_no_more_pass_than_the_limit(store: RunningStore) -> None:
    runs = [reserve(store, f"s{n}/t1/0/0", counter(3, 10)) for n in range(12)]
    answers = await asyncio.gather(*runs)
    assert sum(answer.granted for answer in answers) == 3


async def test_what_is_given_back_counts_no_more(store: RunningStore) -> None:
    await reserve(store, "a/t1/0/0", counter(10, 10))
    for _ in range(2):
        await give_back(store, "a/t1/0/0")
    assert (await reserve(store, "a/t2/0/0", counter(10, 10))).granted


async def test_yesterday_counts_for_the_call_and_not_for_the_day(store: RunningStore) -> None:
    await reserve(store, "a/t1/0/0", counter(10, 10), counter(10, 10, CALL))
    await _move_back(store, "sessions/a/t1/0/0", days=1)
    assert not (await reserve(store, "a/t2/0/0", counter(1, 10, CALL))).granted
    assert (await reserve(store, "a/t3/0/0", counter(10, 10))).granted


async def test_older_runs_are_dropped_and_the_key_goes(store: RunningStore) -> None:
    await reserve(store, "a/t1/0/0", counter(10, 10))
    await _move_back(store, "sessions/a/t1/0/0", days=2)
    await reserve(store, "b/t1/0/0", counter(1, 10))
    assert await store.hot.command("HKEYS", key_of("alice")) == [b"sessions/b/t1/0/0"]
    assert 0 < await store.hot.command("TTL", key_of("alice")) <= 2 * DAY_SECONDS


async def test_no_key_tells_who_the_client_is(store: RunningStore) -> None:
    await reserve(store, "a/t1/0/0", counter(1, 10), subject="alice_brown")
    assert not [key for key in await store.keys() if b"alice" in key]


@pytest.mark.parametrize(
    ("counters", "field"),
    [
        ([], "counters"),
        ([counter(0, 5)], "counters[0].amount"),
        ([counter(-5, 5)], "counters[0].amount"),
        ([counter(1, 0)], "counters[0].most"),
        ([counter(1, 10**16)], "counters[0].most"),
        ([counter(1, 5, pb.PolicyCounter.WINDOW_UNSPECIFIED)], "counters[0].window"),
        ([counter(1, 5, name="")], "counters[0].counter"),
        ([counter(1, 5, name="a\n9 b")], "counters[0].counter"),
        ([counter(1, 5), counter(1, 9)], "counters"),
        ([counter(1, 5), counter(2, 9, CALL)], "counters"),
    ],
)
async def test_what_cannot_be_counted_is_refused(
    store: RunningStore, counters: list[Any], field: str
) -> None:
    error = await refused(reserve(store, "a/t1/0/0", *counters))
    assert error.reason == "ARGUMENT_INVALID"
    assert field in error.fields
    assert not await store.hot.command("EXISTS", key_of("alice"))


async def test_a_request_id_is_a_tool_run(store: RunningStore) -> None:
    error = await refused(reserve(store, "a", counter(1, 5)))
    assert error.reason == "NAME_MALFORMED"


async def _move_back(store: RunningStore, run: str, days: int) -> None:
    """Let a run have been so many days earlier."""
    kept = bytes(await store.hot.command("HGET", key_of("alice"), run))
    day, _, rest = kept.partition(b" ")
    moved = str(int(day) - days).encode() + b" " + rest
    await store.hot.command("HSET", key_of("alice"), run, moved)
