"""`kill -9` of any service during a call: a clear message, and never a hang.

Surviving the loss comes later; here the caller must not be left in silence, and the mesh must be
usable again once the process is back.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from acs_standin.caller import DialError, PlacedCall
from cli.call import CallFailed, Conversation, Line
from cli.mesh import LocalMesh
from tests.support.tonetext import encode

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
PATIENCE_SECONDS = 30.0
EVENTS_SECONDS = 5.0


def kill(mesh: LocalMesh, name: str) -> None:
    os.kill(mesh.process(name).pid, signal.SIGKILL)


async def call_with_a_death(
    mesh: LocalMesh, name: str
) -> tuple[Conversation, list[dict[str, Any]], str]:
    """Greeting, kill, one more line. The events and how the caller's side ended."""
    events: list[dict[str, Any]] = []
    async with PlacedCall(f"{mesh.media_url}?scenario=banking") as call:
        conversation = Conversation(call, events.append, turn_seconds=15.0)
        watching = asyncio.create_task(conversation.watch(mesh.control_url, ""))
        await conversation.until_answered("the greeting")
        kill(mesh, name)
        outcome = await _one_more_line(conversation, call)
    await asyncio.wait([watching], timeout=EVENTS_SECONDS)  # a gateway that lives tells the end
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    return conversation, events, outcome


async def _one_more_line(conversation: Conversation, call: PlacedCall) -> str:
    conversation.progress.line_begins()
    try:
        await call.say(encode("what is my balance"))
        answered = asyncio.create_task(conversation.until_answered("an answer"))
        ended = asyncio.create_task(call.closed.wait())
        await asyncio.wait({answered, ended}, return_when=asyncio.FIRST_COMPLETED)
        for task in (answered, ended):
            task.cancel()
        if answered.done() and not answered.cancelled() and answered.exception() is None:
            await call.hang_up()
            return "answered"
    except (DialError, CallFailed) as error:
        return str(error)
    return f"closed with {call.close_code}"


async def usable_again(mesh: LocalMesh) -> None:
    """The process is back and a whole call goes through."""
    for name in ("session-store", "tool-executor", "speech-pool", "orchestrator", "gateway"):
        await mesh.process(name).until_healthy(PATIENCE_SECONDS)
    async with PlacedCall(f"{mesh.media_url}?scenario=banking") as call:
        conversation = Conversation(call, lambda event: None, turn_seconds=15.0)
        await conversation.run([Line("hello", encode("hello"))], mesh.control_url)
    assert ("caller", "hello") in conversation.progress.transcripts


@pytest.mark.parametrize("name", ["speech-pool", "orchestrator"])
async def test_a_service_the_call_streams_through(mesh: LocalMesh, name: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        conversation, events, outcome = await call_with_a_death(mesh, name)
    assert outcome != "answered"
    assert conversation.progress.end_reason == "service_lost"
    errors = [event for event in events if event["kind"] == "error"]
    assert errors, events
    assert name in errors[0]["message"]
    await usable_again(mesh)


async def test_the_gateway_itself(mesh: LocalMesh) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        _, _, outcome = await call_with_a_death(mesh, "gateway")
    assert "the gateway ended the call" in outcome or "closed with" in outcome
    await usable_again(mesh)


@pytest.mark.parametrize("name", ["session-store", "tool-executor"])
async def test_a_service_behind_the_orchestrator(mesh: LocalMesh, name: str) -> None:
    """The agent answers, or says that it cannot; or the call is ended with a reason."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        conversation, _, outcome = await call_with_a_death(mesh, name)
    assert outcome == "answered" or conversation.progress.error, outcome
    await usable_again(mesh)
