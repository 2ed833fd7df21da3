"""Commands that share a batch share a connection, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis import exceptions
from redis.asyncio import ConnectionPool, Redis

from memory.batches import MOST_COMMANDS, MOST_WAITING, UNDER_WAY, Batches
from memory.embedded import EmbeddedValkey


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[EmbeddedValkey]:
    async with EmbeddedValkey(tmp_path) as server:
        yield server


@pytest.fixture
async def pool(valkey: EmbeddedValkey) -> AsyncIterator[ConnectionPool]:
    made: ConnectionPool = ConnectionPool.from_url(valkey.url, protocol=2)
    yield made
    await made.aclose()


@pytest.fixture
async def batches(pool: ConnectionPool) -> AsyncIterator[Batches]:
    made = Batches(pool, asyncio.Semaphore(64))
    yield made
    await made.aclose()


@pytest.fixture
async def beside(valkey: EmbeddedValkey) -> AsyncIterator[Any]:
    """Another client of the same server."""
    async with Redis.from_url(valkey.url, protocol=2) as client:
        yield client


async def held_up(beside: Any, count: int = 1) -> None:
    """Until so many connections are held up by a command of theirs."""
    while int((await beside.info("clients"))["blocked_clients"]) < count:
        await asyncio.sleep(0)


async def test_each_has_its_own_replies_in_its_own_order(batches: Batches) -> None:
    asked = (batches.run([("ECHO", f"{n}a"), ("ECHO", f"{n}b")], 5.0) for n in range(50))
    assert await asyncio.gather(*asked) == [[f"{n}a".encode(), f"{n}b".encode()] for n in range(50)]


async def test_hundreds_at_once_need_few_connections(batches: Batches, beside: Any) -> None:
    count = 5 * MOST_COMMANDS
    await asyncio.gather(*(batches.run([("INCR", "n")], 5.0) for _ in range(count)))
    assert await beside.get("n") == str(count).encode()
    received = (await beside.info("stats"))["total_connections_received"]
    assert int(received) <= UNDER_WAY + 2  # the server's own start asked once, and `beside`


async def test_arguments_of_all_kinds_arrive(batches: Batches) -> None:
    assert await batches.run([("ECHO", "é"), ("ECHO", b"\xff\r\n$3"), ("ECHO", 7)], 5.0) == [
        "é".encode(),
        b"\xff\r\n$3",
        b"7",
    ]


async def test_a_refusal_is_of_the_command_alone(batches: Batches) -> None:
    refused, answered = await asyncio.gather(
        batches.run([("SET", "k", "v"), ("LPUSH", "k", "w"), ("GET", "k")], 5.0),
        batches.run([("ECHO", "mine")], 5.0),
    )
    assert refused[0] == b"OK"
    assert isinstance(refused[1], exceptions.ResponseError)
    assert refused[2] == b"v"
    assert answered == [b"mine"]


async def test_one_that_is_cancelled_leaves_its_reply_to_nobody(
    batches: Batches, beside: Any
) -> None:
    leaves = asyncio.create_task(batches.run([("BLPOP", "held", 0), ("ECHO", "left")], 5.0))
    stays = asyncio.create_task(batches.run([("ECHO", "mine")], 5.0))
    await held_up(beside)
    leaves.cancel()
    await beside.rpush("held", "go on")
    assert await stays == [b"mine"]
    assert await batches.run([("ECHO", "next")], 5.0) == [b"next"]


async def test_one_that_nobody_waits_for_any_more_is_not_sent(
    batches: Batches, beside: Any
) -> None:
    held = []
    for n in range(UNDER_WAY):
        held.append(asyncio.create_task(batches.run([("BLPOP", f"held{n}", 0)], 5.0)))
        await held_up(beside, n + 1)
    late = asyncio.create_task(batches.run([("SET", "late", 1)], 5.0))
    await asyncio.sleep(0)
    late.cancel()
    for n in range(UNDER_WAY):
        await beside.rpush(f"held{n}", "go on")
    await asyncio.gather(*held)
    assert await batches.run([("EXISTS", "late")], 5.0) == [0]


async def test_a_connection_that_breaks_fails_its_batch_and_no_other(
    batches: Batches, beside: Any
) -> None:
    held = asyncio.create_task(batches.run([("BLPOP", "held", 0)], 5.0))
    with_it = asyncio.create_task(batches.run([("ECHO", "mine")], 5.0))
    await held_up(beside)
    assert await batches.run([("ECHO", "of another batch")], 5.0) == [b"of another batch"]
    await beside.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    for broken in (held, with_it):
        with pytest.raises(exceptions.ConnectionError):
            await broken
    assert await batches.run([("ECHO", "anew")], 5.0) == [b"anew"]


async def test_a_batch_ends_when_its_last_caller_has_stopped_waiting(
    batches: Batches, pool: ConnectionPool
) -> None:
    with pytest.raises(TimeoutError):
        await batches.run([("BLPOP", "never", 0)], 0.05)
    assert await batches.run([("ECHO", "mine")], 5.0) == [b"mine"]


async def test_closing_cancels_who_still_waits(batches: Batches, beside: Any) -> None:
    held = asyncio.create_task(batches.run([("BLPOP", "never", 0)], 5.0))
    await held_up(beside)
    await batches.aclose()
    with pytest.raises(asyncio.CancelledError):
        await held


async def test_closing_begins_nothing_more(batches: Batches, beside: Any) -> None:
    held = []
    for n in range(UNDER_WAY):
        held.append(asyncio.create_task(batches.run([("BLPOP", f"held{n}", 0)], 5.0)))
        await held_up(beside, n + 1)
    waiting = asyncio.create_task(batches.run([("SET", "late", 1)], 5.0))
    await asyncio.sleep(0)
    await batches.aclose()
    ended = await asyncio.gather(*held, waiting, return_exceptions=True)
    assert {type(one) for one in ended} == {asyncio.CancelledError}
    assert await beside.exists("late") == 0
    with pytest.raises(exceptions.ConnectionError):
        await batches.run([("PING",)], 5.0)


async def test_one_too_many_is_refused_at_once(batches: Batches) -> None:
    asked = [asyncio.create_task(batches.run([("PING",)], 5.0)) for _ in range(MOST_WAITING + 1)]
    ended = await asyncio.gather(*asked, return_exceptions=True)
    assert ended[:-1] == [[b"PONG"]] * MOST_WAITING
    assert isinstance(ended[-1], exceptions.ConnectionError)
