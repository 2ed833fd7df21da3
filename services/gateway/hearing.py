"""The call's recognition stream: the caller's audio out, speech activity and words in.

The stream pins the call's RECOGNIZER lease. Audio is taken from `CallerAudio` in one write as soon
as a chunk is there; nothing is created per frame.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.caller_audio import CallerAudio
from gateway.leases import Granted
from gateway.media import BYTES_PER_SAMPLE, SAMPLE_RATE
from gateway.speaking import AUDIO_FORMAT
from meshkit.context import outgoing_metadata
from meshkit.errors import PeerUnreachable
from meshkit.fleet import Fleet
from meshkit.streams import ClientStream
from meshkit.tasks import task_group
from voicemesh.speech.v1 import speech_event_pb2 as event_pb
from voicemesh.speech.v1 import speech_pb2 as pb
from voicemesh.speech.v1.speech_pb2_grpc import SpeechServiceStub

MAX_AUDIO_BYTES = 15 * 1024 - 15 * 1024 % BYTES_PER_SAMPLE

Stream = ClientStream[pb.StreamingRecognizeRequest, pb.StreamingRecognizeResponse]


@dataclass(frozen=True, slots=True)
class Result:
    """Words of one utterance; a final result is never taken back. Samples since media start."""

    text: str
    is_final: bool
    start_sample: int
    end_sample: int
    confidence: float
    language_code: str


class HearingListener(Protocol):
    """What is told of the caller's speech."""

    def speech_began(self) -> None:
        """A voice is heard."""
        ...

    def speech_ended(self) -> None:
        """No voice is heard any more."""
        ...

    def result(self, result: Result) -> None:
        """Words, or none in the end."""
        ...


class Hearing:
    """One call's ears. `chunk_ms` of audio go in one message, more when the stream was behind."""

    def __init__(
        self,
        fleet: Fleet,
        audio: CallerAudio,
        listener: HearingListener,
        *,
        chunk_ms: int,
        language_codes: Sequence[str],
    ) -> None:
        self._fleet = fleet
        self._audio = audio
        self._listener = listener
        self._chunk = chunk_ms * SAMPLE_RATE // 1000
        self._language_codes = language_codes
        self._more = asyncio.Event()
        self.sent_samples: Counter[str] = Counter()
        """Samples sent to the recogniser, by the tier of its lease."""

    def hear(self, pcm: bytes) -> None:
        """The caller's next audio."""
        self._audio.append(pcm)
        if self._audio.waiting >= self._chunk:
            self._more.set()

    async def run(self, lease: Granted, heartbeat: float) -> None:
        """Listen on the lease until cancelled. Raises MeshError."""
        stub = self._fleet.stub(SpeechServiceStub, lease.address)
        stream: Stream
        async with ClientStream(
            stub.StreamingRecognize(metadata=outgoing_metadata()),
            pb.StreamingRecognizeRequest,
            interval=heartbeat,
            peer=lease.address,
        ) as stream:
            await stream.send(pb.StreamingRecognizeRequest(config=self._config(lease)))
            async with task_group() as group:
                group.create_task(self._write(stream, lease.tier))
                await self._read(stream, lease.address)

    def _config(self, lease: Granted) -> event_pb.RecognitionConfig:
        return event_pb.RecognitionConfig(
            lease=lease.name,
            audio_format=AUDIO_FORMAT,
            language_codes=self._language_codes,
            interim_results=True,
            first_sample=self._audio.rewind(),
        )

    async def _write(self, stream: Stream, tier: str) -> None:
        while True:
            while self._audio.waiting >= self._chunk:
                audio = self._audio.take(MAX_AUDIO_BYTES)
                await stream.send(pb.StreamingRecognizeRequest(audio=audio))
                self.sent_samples[tier] += len(audio) // BYTES_PER_SAMPLE
            self._more.clear()
            await self._more.wait()

    async def _read(self, stream: Stream, address: str) -> None:
        while (response := await stream.receive()) is not None:
            kind = response.WhichOneof("event")
            if kind == "result":
                self._result(response.result)
            elif response.speech_activity.kind == event_pb.SpeechActivity.KIND_BEGIN:
                self._listener.speech_began()
            elif response.speech_activity.kind == event_pb.SpeechActivity.KIND_END:
                self._listener.speech_ended()
        raise PeerUnreachable("UNAVAILABLE", f"{address}: speech-pool ended the recognition stream")

    def _result(self, result: event_pb.RecognitionResult) -> None:
        if result.is_final:
            self._audio.forget(result.end_sample)
        self._listener.result(
            Result(
                text=result.transcript.strip(),
                is_final=result.is_final,
                start_sample=result.start_sample,
                end_sample=result.end_sample,
                confidence=result.confidence,
                language_code=result.language_code,
            )
        )
