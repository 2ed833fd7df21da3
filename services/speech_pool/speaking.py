"""One synthesis stream: segments of text in, their audio out, in order, any of them cancellable."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection

from meshkit.errors import Reason, invalid
from meshkit.streams import ServerStream
from meshkit.tasks import task_group
from speech_pool.audio import require_linear16
from speech_pool.ports import AudioChunk, Synthesizer, Voice, VoiceNotFound
from voicemesh.speech.v1 import speech_event_pb2 as event_pb
from voicemesh.speech.v1 import speech_pb2 as pb

MAX_TEXT_CODE_POINTS = 4096
MAX_QUEUED_SEGMENTS = 64
CHUNK_BYTES = 15 * 1024

Stream = ServerStream[pb.StreamingSynthesizeResponse, pb.StreamingSynthesizeRequest]


async def speak(
    stream: Stream,
    synthesizer: Synthesizer,
    config: event_pb.SynthesisConfig,
    voices: Collection[str],
) -> None:
    """Run one synthesis stream to its end. Raises MeshError and what the engine raises."""
    speaker = _Speaker(stream, synthesizer, config, voices)
    async with task_group() as group:
        talking = group.create_task(speaker.talk())
        while (message := await stream.receive()) is not None:
            await speaker.take(message)
        speaker.finish()
        await talking


class _Speaker:
    """The queue of segments and the one being spoken."""

    def __init__(
        self,
        stream: Stream,
        synthesizer: Synthesizer,
        config: event_pb.SynthesisConfig,
        voices: Collection[str],
    ) -> None:
        self._stream = stream
        self._synthesizer = synthesizer
        self._rate = require_linear16(config.audio_format)
        self._voices = voices
        self._voice = self._known(_voice(config.voice), "config.voice")
        self._queue: deque[event_pb.SynthesisSegment] = deque()
        self._changed = asyncio.Event()
        self._finished = False
        self._current: event_pb.SynthesisSegment | None = None
        self._speaking: asyncio.Task[int] | None = None

    async def take(self, message: pb.StreamingSynthesizeRequest) -> None:
        """Queue a segment, or cancel some. Raises MeshError for a bad one."""
        kind = message.WhichOneof("payload")
        if kind == "segment":
            self._enqueue(message.segment)
        elif kind == "cancel":
            await self._cancel(message.cancel)
        else:
            raise invalid("payload", "must be segment, cancel or heartbeat after the config")

    def finish(self) -> None:
        """Nothing more will be queued."""
        self._finished = True
        self._changed.set()

    async def talk(self) -> None:
        """Speak what is queued until there is no more."""
        while True:
            while self._queue:
                await self._say(self._queue.popleft())
            if self._finished:
                return
            self._changed.clear()
            await self._changed.wait()

    def _enqueue(self, segment: event_pb.SynthesisSegment) -> None:
        if not segment.segment:
            raise invalid("segment.segment", "is required")
        if not segment.text.strip() or len(segment.text) > MAX_TEXT_CODE_POINTS:
            problem = f"must hold 1 to {MAX_TEXT_CODE_POINTS} code points"
            raise invalid("segment.text", problem, Reason.TEXT_INVALID)
        if not 0 <= segment.start_offset <= len(segment.text):
            raise invalid("segment.start_offset", "must lie within the text")
        if len(self._queue) >= MAX_QUEUED_SEGMENTS:
            raise invalid("segment", f"over {MAX_QUEUED_SEGMENTS} segments are queued already")
        if segment.HasField("voice"):
            self._known(_voice(segment.voice), "segment.voice")
        self._queue.append(segment)
        self._changed.set()

    async def _cancel(self, cancel: event_pb.SynthesisCancel) -> None:
        names = set(cancel.segments)
        dropped = [s for s in self._queue if not names or s.segment in names]
        for segment in dropped:
            self._queue.remove(segment)
        current = self._current
        if current and self._speaking and (not names or current.segment in names):
            self._speaking.cancel()
        for segment in dropped:
            await self._complete(segment.segment, 0, cancelled=True)

    async def _say(self, segment: event_pb.SynthesisSegment) -> None:
        """Speak one segment in a task of its own, so that it can be cancelled alone."""
        sent = [0]
        self._current = segment
        self._speaking = asyncio.create_task(self._voice_out(segment, sent))
        try:
            await asyncio.wait([self._speaking])
        finally:
            self._speaking.cancel()
            self._current = None
        if self._speaking.cancelled():
            await self._complete(segment.segment, sent[0], cancelled=True)
            return
        self._speaking.result()
        await self._complete(segment.segment, sent[0], cancelled=False)

    async def _voice_out(self, segment: event_pb.SynthesisSegment, sent: list[int]) -> int:
        voice = _voice(segment.voice) if segment.HasField("voice") else self._voice
        events = self._synthesizer.speak(segment.text, voice, self._rate, segment.start_offset)
        try:
            async for event in events:
                if isinstance(event, AudioChunk):
                    sent[0] += len(event.pcm) // 2
                    await self._audio(segment.segment, event.pcm)
                else:
                    boundary = event_pb.WordBoundary(
                        segment=segment.segment,
                        text_offset=event.text_offset,
                        text_length=event.text_length,
                        sample=event.sample,
                    )
                    await self._stream.send(pb.StreamingSynthesizeResponse(word_boundary=boundary))
        except VoiceNotFound as error:
            raise invalid("segment.voice", str(error), Reason.VOICE_NOT_FOUND) from None
        except ValueError as error:  # a rate or pitch that the engine cannot read
            raise invalid("segment.voice", str(error)) from None
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()
        return sent[0]

    async def _audio(self, segment: str, pcm: bytes) -> None:
        for start in range(0, len(pcm), CHUNK_BYTES):
            audio = event_pb.SynthesizedAudio(
                segment=segment, audio=pcm[start : start + CHUNK_BYTES]
            )
            await self._stream.send(pb.StreamingSynthesizeResponse(audio=audio))

    async def _complete(self, segment: str, samples: int, *, cancelled: bool) -> None:
        completed = event_pb.SegmentCompleted(
            segment=segment, sample_count=samples, cancelled=cancelled
        )
        await self._stream.send(pb.StreamingSynthesizeResponse(segment_completed=completed))

    def _known(self, voice: Voice, field: str) -> Voice:
        if voice.name and self._voices and voice.name not in self._voices:
            known = ", ".join(self._voices)
            raise invalid(
                f"{field}.name", f"no such voice; known are {known}", Reason.VOICE_NOT_FOUND
            )
        return voice


def _voice(voice: event_pb.Voice) -> Voice:
    return Voice(name=voice.name, style=voice.style, rate=voice.rate, pitch=voice.pitch)
