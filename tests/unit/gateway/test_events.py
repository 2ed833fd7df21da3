"""The events of a call, for those who watch it."""

from __future__ import annotations

import asyncio
from itertools import count

from gateway.events import CallEvent, CallEvents


def make(max_events: int = 100) -> CallEvents:
    ticks = count()
    return CallEvents(lambda: next(ticks) / 1000, max_events)


async def collect(events: CallEvents, after: int = 0) -> list[CallEvent]:
    return [event async for event in events.follow(after)]


def test_an_event_is_one_flat_object_with_a_number_and_a_time() -> None:
    events = make()
    events.emit("dtmf", count=4)
    assert events.since(0)[0].as_json() == {"kind": "dtmf", "seq": 1, "time_ms": 1, "count": 4}


async def test_a_follower_gets_all_from_the_beginning_then_live_until_the_end() -> None:
    events = make()
    events.emit("a")
    following = asyncio.create_task(collect(events))
    await asyncio.sleep(0)
    events.emit("b")
    await asyncio.sleep(0)
    events.emit("c")
    events.close()
    assert [event.kind for event in await following] == ["a", "b", "c"]


async def test_a_follower_goes_on_where_it_was() -> None:
    events = make()
    for kind in "abc":
        events.emit(kind)
    events.close()
    assert [event.seq for event in await collect(events, after=1)] == [2, 3]
    assert await collect(events, after=3) == []


async def test_the_ring_is_bounded_and_the_numbers_show_the_gap() -> None:
    events = make(max_events=2)
    for kind in "abcd":
        events.emit(kind)
    events.close()
    assert [event.seq for event in await collect(events)] == [3, 4]


def test_nothing_follows_the_end() -> None:
    events = make()
    events.close()
    events.emit("late")
    assert events.since(0) == []


async def test_many_may_follow() -> None:
    events = make()
    followers = [asyncio.create_task(collect(events)) for _ in range(5)]
    await asyncio.sleep(0)
    events.emit("a")
    events.close()
    assert [len(await follower) for follower in followers] == [1] * 5
