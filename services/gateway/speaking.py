"""The call's synthesis stream: text out, audio in, one stream for the whole call.

The stream pins the call's SYNTHESIZER lease. `say` and `cancel` are plain; what comes back is told
to a `SpeechListener`. Audio comes faster than it is played: when enough waits, reading stops and
gRPC's flow control holds the pod back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from gateway.leases import Granted
from gateway.media import SAMPLE_RATE
from gateway.outbox import Outbox
from meshkit.context import outgoing_metadata
from meshkit.errors import MeshError, PeerUnreachable, Reason
from meshkit.fleet import Fleet
from meshkit.logging import get_logger
from meshkit.streams import ClientStream
from meshkit.tasks import task_group
from meshkit.usage import billable_characters
from voicemesh.speech.v1 import speech_event_pb2 as event_pb
from voicemesh.speech.v1 import speech_pb2 as pb
from voicemesh.speech.v1.speech_pb2_grpc import SpeechServiceStub

logger = get_logger("gateway.speaking")

Stream = ClientStream[pb.StreamingSynthesizeRequest, pb.StreamingSynthesizeResponse]

AUDIO_FORMAT = event_pb.AudioFormat(
    encoding=event_pb.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=SAMPLE_RATE
)


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaking voice; empty fields leave it to the engine."""

    name: str = ""
    style: str = ""
    rate: str = ""
    pitch: str = ""


class SpeechListener(Protocol):
    """What is told of the speech that was asked for."""

    def audio(self, segment: str, pcm: bytes) -> None:
        """The next audio of a segment, without gaps."""
        ...

    def word(self, segment: str, text_offset: int, text_length: int, sample: int) -> None:
        """A word of the segment's text starts at a sample of its audio."""
        ...

    def spoken(self, segment: str) -> None:
        """No more audio of the segment will come."""
        ...


@dataclass(slots=True)
class _Wanted:
    text: str
    voice: Voice
    begun: bool = False


class Speaking:
    """One call's speech. `has_room` waits while too much audio waits to be played."""

    def __init__(
        self, fleet: Fleet, listener: SpeechListener, has_room: Callable[[], Awaitable[None]]
    ) -> None:
        self._fleet = fleet
        self._listener = listener
        self._has_room = has_room
        self._outbox: Outbox[pb.StreamingSynthesizeRequest] = Outbox()
        self._wanted: dict[str, _Wanted] = {}
        self._default_voice = False
        self.sent_characters: Counter[tuple[str, str]] = Counter()
        """Billable characters sent to the synthesiser, by segment and tier of its lease."""

    def say(self, segment: str, text: str, voice: Voice) -> None:
        """Speak a segment after those asked for before. Raises OutboxFull."""
        self._wanted[segment] = _Wanted(text, voice)
        self._ask(segment)

    def cancel(self, segments: Collection[str]) -> None:
        """Do not speak these any further; audio that still comes is the listener's to drop."""
        asked = [name for name in segments if self._wanted.pop(name, None)]
        if asked:
            cancel = event_pb.SynthesisCancel(segments=asked)
            self._outbox.put(pb.StreamingSynthesizeRequest(cancel=cancel))

    async def run(self, lease: Granted, heartbeat: float) -> None:
        """Speak on the lease until cancelled. Raises MeshError.

        A voice that the engine does not have is replaced by its default voice, for the whole call.
        """
        try:
            await self._stream(lease, heartbeat)
        except MeshError as error:
            if not error.is_reason(Reason.VOICE_NOT_FOUND):
                raise
            logger.warning("voice not found: the default voice speaks")
            self._default_voice = True
            self._ask_again()
        await self._stream(lease, heartbeat)

    async def _stream(self, lease: Granted, heartbeat: float) -> None:
        stub = self._fleet.stub(SpeechServiceStub, lease.address)
        stream: Stream
        async with ClientStream(
            stub.StreamingSynthesize(metadata=outgoing_metadata()),
            pb.StreamingSynthesizeRequest,
            interval=heartbeat,
            peer=lease.address,
        ) as stream:
            config = event_pb.SynthesisConfig(lease=lease.name, audio_format=AUDIO_FORMAT)
            await stream.send(pb.StreamingSynthesizeRequest(config=config))
            async with task_group() as group:
                group.create_task(self._outbox.run(partial(self._send, stream, lease.tier)))
                await self._read(stream, lease.address)

    async def _send(
        self, stream: Stream, tier: str, request: pb.StreamingSynthesizeRequest
    ) -> None:
        await stream.send(request)
        if request.HasField("segment"):
            said = request.segment
            self.sent_characters[said.segment, tier] += billable_characters(said.text)

    async def _read(self, stream: Stream, address: str) -> None:
        while (response := await stream.receive()) is not None:
            kind = response.WhichOneof("event")
            if kind == "audio":
                self._audio(response.audio)
                await self._has_room()
            elif kind == "word_boundary":
                word = response.word_boundary
                self._listener.word(word.segment, word.text_offset, word.text_length, word.sample)
            elif kind == "segment_completed":
                self._completed(response.segment_completed.segment)
        raise PeerUnreachable("UNAVAILABLE", f"{address}: speech-pool ended the synthesis stream")

    def _audio(self, audio: event_pb.SynthesizedAudio) -> None:
        if wanted := self._wanted.get(audio.segment):
            wanted.begun = True
            self._listener.audio(audio.segment, audio.audio)

    def _completed(self, segment: str) -> None:
        if self._wanted.pop(segment, None):
            self._listener.spoken(segment)

    def _ask(self, segment: str) -> None:
        wanted = self._wanted[segment]
        message = event_pb.SynthesisSegment(segment=segment, text=wanted.text)
        voice = wanted.voice
        if voice != Voice() and not self._default_voice:
            message.voice.MergeFrom(
                event_pb.Voice(
                    name=voice.name, style=voice.style, rate=voice.rate, pitch=voice.pitch
                )
            )
        self._outbox.put(pb.StreamingSynthesizeRequest(segment=message))

    def _ask_again(self) -> None:
        """On a new stream: what was not begun. What was begun ends where its audio ended."""
        self._outbox.clear()
        for segment, wanted in list(self._wanted.items()):
            if wanted.begun:
                self._completed(segment)
            else:
                self._ask(segment)
