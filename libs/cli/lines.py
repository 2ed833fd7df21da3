"""The caller's lines: from WAV files, or spoken by the mesh's own synthesiser from text."""

from __future__ import annotations

import uuid
from importlib.resources import files
from pathlib import Path

import grpc

from acs_standin.track import read_wav
from acs_standin.wire import SAMPLE_RATE
from cli.call import Line
from cli.identity import Identity, channel_to
from voicemesh.speech.v1 import speech_event_pb2 as event_pb
from voicemesh.speech.v1 import speech_pb2, speech_pb2_grpc, speech_pool_pb2, speech_pool_pb2_grpc

SPEAK_SECONDS = 30.0


class LinesError(Exception):
    """A line cannot be had. The message says which and why."""


def demo_lines() -> list[Path]:
    """The WAV files of the demo caller, in order."""
    folder = Path(str(files("acs_standin") / "demo"))
    return sorted(folder.glob("*.wav"))


def from_file(path: Path) -> Line:
    """A line from a WAV file. Raises LinesError."""
    try:
        return Line(path.name, read_wav(path))
    except (ValueError, OSError) as error:
        raise LinesError(str(error)) from None


async def from_text(text: str, speech_pool: str, identity: Identity | None = None) -> Line:
    """A line spoken by a synthesiser leased from the pool at `speech_pool` (`host:port`).

    The voice is the agent's own; it is synthetic. Raises LinesError.
    """
    session = f"sessions/caller-{uuid.uuid4()}"
    try:
        async with channel_to("speech-pool", speech_pool, identity) as channel:
            lease = await _allocate(channel, session)
            try:
                return Line(text, await _speak(channel, lease, text))
            finally:
                stub = speech_pool_pb2_grpc.SpeechPoolServiceStub(channel)
                request = speech_pool_pb2.ReleaseLeaseRequest(name=lease)
                await stub.ReleaseLease(request, timeout=5.0)
    except grpc.aio.AioRpcError as error:
        why = f"{error.code().name} {error.details()}"
        raise LinesError(f"the speech pool at {speech_pool} cannot speak {text!r}: {why}") from None


async def _allocate(channel: grpc.aio.Channel, session: str) -> str:
    request = speech_pool_pb2.AllocateClientRequest(
        session=session,
        client_kind=speech_pool_pb2.CLIENT_KIND_SYNTHESIZER,
        request_id=uuid.uuid4().hex,
    )
    stub = speech_pool_pb2_grpc.SpeechPoolServiceStub(channel)
    answer = await stub.AllocateClient(request, timeout=10.0)
    return str(answer.lease.name)


async def _speak(channel: grpc.aio.Channel, lease: str, text: str) -> bytes:
    pcm = event_pb.AudioFormat(
        encoding=event_pb.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=SAMPLE_RATE
    )
    config = event_pb.SynthesisConfig(lease=lease, audio_format=pcm)
    segment = event_pb.SynthesisSegment(segment="t0/s0", text=text)
    call = speech_pb2_grpc.SpeechServiceStub(channel).StreamingSynthesize(timeout=SPEAK_SECONDS)
    await call.write(speech_pb2.StreamingSynthesizeRequest(config=config))
    await call.write(speech_pb2.StreamingSynthesizeRequest(segment=segment))
    await call.done_writing()
    return b"".join([answer.audio.audio async for answer in call])
