"""Whole calls through five processes, on a scripted engine and model."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json

import pytest

from acs_standin.caller import PlacedCall
from acs_standin.wire import FRAME_BYTES, audio_message
from cli.call import Conversation, Line
from cli.events import follow
from cli.mesh import LocalMesh
from tests.support.tonetext import decode, encode

pytestmark = pytest.mark.asyncio(loop_scope="module")


def line(text: str) -> Line:
    return Line(text, encode(text))


async def converse(mesh: LocalMesh, *texts: str) -> tuple[PlacedCall, Conversation]:
    async with PlacedCall(f"{mesh.media_url}?scenario=banking") as call:
        conversation = Conversation(call, lambda event: None, turn_seconds=20.0)
        await conversation.run([line(text) for text in texts], mesh.control_url)
    return call, conversation


async def test_what_is_said_is_heard_and_what_is_answered_reaches_the_caller(
    mesh: LocalMesh,
) -> None:
    call, conversation = await converse(mesh, "hello there", "and again")
    transcripts = conversation.progress.transcripts
    assert [text for who, text in transcripts if who == "caller"] == ["hello there", "and again"]
    agent = [text for who, text in transcripts if who == "agent"]
    assert agent
    played = decode(call.recording.agent)
    for text in agent:
        assert text in played


async def test_calls_at_the_same_time_do_not_mix(mesh: LocalMesh) -> None:
    said = [[f"caller {n} says {k}" for k in range(2)] for n in range(4)]
    done = await asyncio.gather(*(converse(mesh, *texts) for texts in said))
    for texts, (_, conversation) in zip(said, done, strict=True):
        assert [t for who, t in conversation.progress.transcripts if who == "caller"] == texts


async def test_speaking_over_the_agent_stops_it_and_is_answered(mesh: LocalMesh) -> None:
    async with PlacedCall(f"{mesh.media_url}?scenario=banking") as call:
        heard: list[dict[str, object]] = []
        speaking = asyncio.Event()

        async def watch() -> None:
            async for event in follow(mesh.control_url, call.call_connection_id):
                heard.append(event)
                if event["kind"] == "segment":
                    speaking.set()

        watching = asyncio.create_task(watch())
        await speaking.wait()
        await call.say(encode("stop please I have a question"))
        async with asyncio.timeout(20):
            while not any(e["kind"] == "turn_finished" and e["cause"] == "u1" for e in heard):
                await asyncio.wait_for(_next(heard), 20)
        await call.hang_up()
        await watching
    assert call.stops == 1
    barge_in = next(e for e in heard if e["kind"] == "barge_in")
    greeting = next(e for e in heard if e["kind"] == "segment")
    assert 0 <= int(str(barge_in["heard_text_length"])) < len(str(greeting["text"]))
    finished = {e["turn"]: e["outcome"] for e in heard if e["kind"] == "turn_finished"}
    assert finished["t0"] == "interrupted"
    assert finished["t1"] == "completed"


async def _next(events: list[dict[str, object]]) -> None:
    """Until one more event has come."""
    known = len(events)
    while len(events) == known:
        await asyncio.sleep(0)


async def test_keys_are_input_like_speech(mesh: LocalMesh) -> None:
    async with PlacedCall(f"{mesh.media_url}?scenario=banking") as call:
        conversation = Conversation(call, lambda event: None, turn_seconds=20.0)
        watching = asyncio.create_task(conversation.watch(mesh.control_url, ""))
        await conversation.until_answered("the greeting")
        conversation.progress.line_begins()
        await call.press("1234#")
        await conversation.until_answered("an answer to the keys")
        await call.hang_up()
        await watching
    assert conversation.progress.finished[-1]["cause"] == "u1"


BAD_MESSAGES = {
    "not JSON": "{",
    "unknown kind": json.dumps({"kind": "Weather"}),
    "not base64": json.dumps({"kind": "AudioData", "audioData": {"data": "%%%"}}),
    "odd length": audio_message(bytes(FRAME_BYTES - 1), "", "", silent=False),
    "no audio": json.dumps({"kind": "AudioData"}),
}


async def test_a_few_bad_messages_are_passed_over_and_the_call_goes_on(mesh: LocalMesh) -> None:
    async with PlacedCall(f"{mesh.media_url}?scenario=banking") as call:
        conversation = Conversation(call, lambda event: None, turn_seconds=20.0)
        for text in BAD_MESSAGES.values():
            await call.send_raw(text)
        await conversation.run([line("still here")], mesh.control_url)
    assert ("caller", "still here") in conversation.progress.transcripts


METADATA = {"encoding": "PCM", "sampleRate": 16000, "channels": 1, "length": 640}
BAD_METADATA = {
    "sample rate": METADATA | {"sampleRate": 44100},
    "encoding": METADATA | {"encoding": "OPUS"},
    "channels": METADATA | {"channels": 2},
}


@pytest.mark.parametrize("metadata", BAD_METADATA.values(), ids=BAD_METADATA.keys())
async def test_audio_of_a_format_that_is_not_taken(
    mesh: LocalMesh, metadata: dict[str, object]
) -> None:
    async with PlacedCall(mesh.media_url, metadata=False) as call:
        await call.send_raw(json.dumps({"kind": "AudioMetadata", "audioMetadata": metadata}))
        await asyncio.wait_for(call.closed.wait(), 10)
    assert call.close_code == 4415


async def test_a_huge_frame_ends_its_own_call_and_no_other(mesh: LocalMesh) -> None:
    async def huge() -> int | None:
        async with PlacedCall(mesh.media_url) as call:
            data = base64.b64encode(bytes(4 << 20)).decode()
            with contextlib.suppress(ConnectionError):  # closed before all of it was sent
                await call.send_raw(json.dumps({"kind": "AudioData", "audioData": {"data": data}}))
            await asyncio.wait_for(call.closed.wait(), 10)
        return call.close_code

    code, (_, conversation) = await asyncio.gather(huge(), converse(mesh, "undisturbed"))
    assert code in (1009, 1006)
    assert ("caller", "undisturbed") in conversation.progress.transcripts


async def test_silence_only_ends_with_the_greeting_and_no_words(mesh: LocalMesh) -> None:
    async with PlacedCall(f"{mesh.media_url}?scenario=banking") as call:
        conversation = Conversation(call, lambda event: None, turn_seconds=20.0)
        await conversation.run([Line("silence", bytes(FRAME_BYTES * 50))][:0], mesh.control_url)
    assert [who for who, _ in conversation.progress.transcripts if who == "caller"] == []
    assert conversation.progress.end_reason == "caller_hung_up"
