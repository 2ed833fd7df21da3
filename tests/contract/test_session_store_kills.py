"""Fifty writers of one session while the server behind three replicas is killed and comes back."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest

from memory.embedded import EmbeddedValkey
from meshkit.errors import from_rpc_error
from tests.support.store import replica
from tests.support.store_calls import append, create, journal
from voicemesh.session.v1 import journal_event_pb2 as ev

SAID = ev.UtteranceAccepted(transcript="hello")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_killing_redis_in_the_middle_loses_and_doubles_nothing(
    tmp_path: Path, seed: int
) -> None:
    """What was answered is in its file; whatever had no answer is written again until it has one."""
    order = random.Random(seed)  # which replica each append goes to, and when the server is killed
    kill_at = order.randrange(40, 360)
    async with AsyncExitStack() as stack:
        valkey = await stack.enter_async_context(EmbeddedValkey(tmp_path))
        replicas = [await stack.enter_async_context(replica(valkey.url)) for _ in range(3)]
        await create(replicas[0])
        answered, killed, noticed = itertools.count(1), asyncio.Event(), asyncio.Event()
        failures: list[str] = []

        async def write(writer: int) -> list[int]:
            """The sequences that one writer was answered."""
            sequences = []
            for number in range(8):
                event = ev.JournalEvent(event_id=f"w{writer}/{number}", utterance=SAID)
                while True:
                    try:
                        answer = await append(order.choice(replicas), event)
                        break
                    except grpc.aio.AioRpcError as error:
                        failures.append(from_rpc_error(error).reason)
                        noticed.set()
                sequences.append(answer.last_sequence)
                if next(answered) == kill_at:
                    killed.set()
            return sequences

        async def kill_and_start_again() -> None:
            await killed.wait()
            assert valkey.pid is not None
            os.kill(valkey.pid, signal.SIGKILL)
            await valkey.aclose()
            await noticed.wait()
            again = EmbeddedValkey(tmp_path, port=valkey.port)
            await stack.enter_async_context(again)

        *outcomes, _ = await asyncio.gather(
            *(write(writer) for writer in range(50)), kill_and_start_again()
        )
        events = (await journal(replicas[0])).events
    ids = sorted(f"w{writer}/{number}" for writer in range(50) for number in range(8))
    assert sorted(event.event_id for event in events) == ids
    assert [event.sequence for event in events] == list(range(1, 401))
    for sequences in outcomes:
        assert sequences == sorted(set(sequences)), "a writer saw the journal go back"
    assert set(failures) == {"STORE_UNAVAILABLE"}
