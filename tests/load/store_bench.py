"""A session in the session-store: append and get, and how fast a watch tells of an append.

The anchor of append + get is one pipeline of plain redis-py commands that writes and reads the same
(on the same server, from this process) plus one empty grpc.aio unary; both are taken in turns with
ours, and their ratio is the median of the rounds'. The watch is of one replica, the append goes to
another; its anchor is the empty unary. The exit code says whether the goals are met.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import redis.asyncio as redis
import uvloop
from google.protobuf.empty_pb2 import Empty

from cli.parts import Part
from cli.ports import Ports
from cli.process import Process
from memory.embedded import EmbeddedValkey
from tests.load.anchor import empty_unary
from tests.load.measure import (
    ROOT,
    at_concurrency,
    cpu_seconds,
    machine,
    of_rounds,
    percentile,
    resident_mb,
    running,
    verdict,
)
from voicemesh.session.v1 import journal_event_pb2 as ev
from voicemesh.session.v1 import journal_pb2 as jr
from voicemesh.session.v1 import session_store_pb2 as ss
from voicemesh.session.v1.journal_pb2_grpc import JournalServiceStub
from voicemesh.session.v1.session_store_pb2_grpc import SessionStoreServiceStub

ROUNDS = 12
CALLS = 100
"""Pairs of a round, but no fewer than 4 of each worker."""
MAX_RATIO = 2.0
MAX_WATCH_UNARIES = 5.0
CONCURRENCIES = (1, 16, 64)
WATCHED = 30
"""Appends of a round that a watch is told of."""
CONTEXT = {f"fact_{n}": json.dumps("a fact that the caller told " * 7) for n in range(20)}
SAID = "I would like to know why there is a fee on the transaction of last Tuesday, please."
NUMBERS = count()


def event() -> ev.JournalEvent:
    number = next(NUMBERS)
    said = ev.UtteranceAccepted(utterance=f"u{number}", transcript=SAID, language_code="en-US")
    return ev.JournalEvent(event_id=f"u{number}", utterance=said)


class Plain:
    """Redis without us: what a session needs at least, in one pipeline."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)
        self._body = event().SerializeToString()

    async def prepare(self, number: int) -> None:
        for key, value in CONTEXT.items():
            await self._client.hset(f"plain:{number}:context", key, value)

    async def append_and_get(self, number: int) -> None:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.rpush(f"plain:{number}:journal", self._body)
        pipeline.expire(f"plain:{number}:journal", 7200)
        pipeline.hgetall(f"plain:{number}:context")
        await pipeline.execute()

    async def aclose(self) -> None:
        await self._client.aclose()


class Ours:
    """The same through the session-store."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._sessions: Any = SessionStoreServiceStub(channel)
        self._journal: Any = JournalServiceStub(channel)

    async def prepare(self, number: int) -> None:
        request = ss.CreateSessionRequest(
            session_id=f"s{number}", request_id="r", session=ss.Session(context_json=CONTEXT)
        )
        await self._sessions.CreateSession(request)

    async def append(self, number: int) -> None:
        request = jr.AppendEventsRequest(session=f"sessions/s{number}", events=[event()])
        await self._journal.AppendEvents(request, timeout=10)

    async def get(self, number: int) -> None:
        await self._sessions.GetSession(
            ss.GetSessionRequest(name=f"sessions/s{number}"), timeout=10
        )

    async def append_and_get(self, number: int) -> None:
        """In one request, as whoever takes up a call does."""
        request = jr.AppendEventsRequest(
            session=f"sessions/s{number}", events=[event()], return_session=True
        )
        answer = await self._journal.AppendEvents(request, timeout=10)
        assert len(answer.session.context_json) == len(CONTEXT)

    async def append_then_get(self, number: int) -> None:
        await self.append(number)
        await self.get(number)

    def watch(self, number: int) -> Any:
        return self._journal.WatchEvents(jr.WatchEventsRequest(parent=f"sessions/s{number}"))


async def compare(anchor: Any, plain: Plain, ours: Ours, process: Process, workers: int) -> bool:
    """In short turns, so that what disturbs one disturbs the others; whether p50 is as it should be."""
    taken: dict[str, list[float]] = {"empty": [], "plain": [], "ours": [], "two": []}
    ratios: list[float] = []
    spent, each = 0.0, max(4, CALLS // workers)
    for _ in range(ROUNDS):
        empty = await at_concurrency(anchor, workers, each)
        commands = await at_concurrency(plain.append_and_get, workers, each)
        before = cpu_seconds(process.pid)
        one = await at_concurrency(ours.append_and_get, workers, each)
        spent += cpu_seconds(process.pid) - before
        two = await at_concurrency(ours.append_then_get, workers, each)
        ratios.append(half(one) / (half(empty) + half(commands)))
        for name, values in zip(taken, (empty, commands, one, two), strict=True):
            taken[name] += values
    middle, told = of_rounds(ratios)
    within = middle <= MAX_RATIO
    per_core = 2 * len(taken["ours"]) / spent if spent else float("nan")
    e50, c50, o50, t50 = map(half, taken.values())
    print(
        f"{workers:7} {e50:7.0f}us {c50:7.0f}us {o50:7.0f}us {percentile(taken['ours'], 0.99):7.0f}us"
        f" {per_core:10.0f} {t50 / (e50 + c50):8.2f}   {told}; at most {MAX_RATIO:g}: {verdict(within)}"
    )
    return within


def half(values: list[float]) -> float:
    return percentile(values, 0.5)


async def watched(anchor: Any, writer: Ours, watcher: Ours) -> bool:
    """From before the append at one replica to the event at a watcher of another."""
    await writer.prepare(9999)
    call = watcher.watch(9999)
    await told_of_append(call, writer)  # the first one waits for the watch to begin
    empty: list[float] = []
    seen: list[float] = []
    ratios: list[float] = []
    for _ in range(ROUNDS):
        for _ in range(WATCHED):
            empty += await at_concurrency(anchor, 1, 1)
            seen.append(await told_of_append(call, writer))
        ratios.append(half(seen[-WATCHED:]) / half(empty[-WATCHED:]))
    call.cancel()
    middle, told = of_rounds(ratios)
    within = middle <= MAX_WATCH_UNARIES
    print(
        f"watch at another replica: p50 {half(seen):.0f}us, p99 {percentile(seen, 0.99):.0f}us;"
        f" in empty unaries of {half(empty):.0f}us: {told}; at most {MAX_WATCH_UNARIES:g}:"
        f" {verdict(within)}"
    )
    return within


async def told_of_append(call: Any, writer: Ours) -> float:
    """Microseconds until an append is told of, whether its own answer is there by then or not."""
    began = time.perf_counter()
    appending = asyncio.create_task(writer.append(9999))
    while (await call.read()).WhichOneof("event") != "journal_event":
        pass
    taken = (time.perf_counter() - began) * 1e6
    await appending
    return taken


@asynccontextmanager
async def store(ports: Ports, port: int, url: str) -> AsyncIterator[Process]:
    environment = {
        "VOICEMESH_GRPC_PORT": str(port),
        "VOICEMESH_REDIS_URL": url,
        "VOICEMESH_LOG_LEVEL": "warning",
    }
    part = Part("session-store", (sys.executable, "-m", "session_store"), environment, port)
    async with running(part) as process:
        yield process


async def main() -> int:
    ports = Ports.free()
    command = (sys.executable, "-m", "tests.load.anchor", str(ports.planner))
    bare = Part("anchor", command, {"PYTHONPATH": str(ROOT)}, ports.planner)
    size = sum(len(k) + len(v) for k, v in CONTEXT.items())
    print(f"append + get of a session of {size} bytes; {ROUNDS} rounds; {machine()}")
    with tempfile.TemporaryDirectory() as folder:
        async with (
            EmbeddedValkey(Path(folder)) as valkey,
            running(bare),
            store(ports, ports.session_store, valkey.url) as process,
            store(ports, ports.orchestrator, valkey.url),
            grpc.aio.insecure_channel(f"127.0.0.1:{ports.planner}") as bare_channel,
            grpc.aio.insecure_channel(f"127.0.0.1:{ports.session_store}") as channel,
            grpc.aio.insecure_channel(f"127.0.0.1:{ports.orchestrator}") as other,
        ):
            print(f"session-store resident at idle: {resident_mb(process.pid):.0f} MB")
            measuring = measure(valkey.url, bare_channel, channel, other, process)
            within = await asyncio.wait_for(measuring, 300)
    return 0 if within else 1


async def measure(
    url: str,
    bare: grpc.aio.Channel,
    channel: grpc.aio.Channel,
    other: grpc.aio.Channel,
    process: Process,
) -> bool:
    """Whether all goals are met."""
    call = empty_unary(bare)

    async def empty(_: int) -> None:
        await call(Empty(), timeout=5.0)

    plain, ours = Plain(url), Ours(channel)
    for number in range(max(CONCURRENCIES)):
        await plain.prepare(number)
        await ours.prepare(number)
    print(
        f"{'workers':>7} {'empty p50':>9} {'plain p50':>9} {'p50':>9} {'p99':>9}"
        f" {'ops/core-s':>10} {'two RPCs':>8}   p50 / (plain + empty)"
    )
    within = []
    for workers in CONCURRENCIES:
        for work in (empty, plain.append_and_get, ours.append_and_get):
            await at_concurrency(work, workers, 20)
        within.append(await compare(empty, plain, ours, process, workers))
    within.append(await watched(empty, ours, Ours(other)))
    await plain.aclose()
    return all(within)


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
