"""One recognition stream: the holder's audio into the engine, the engine's events to the holder."""

from __future__ import annotations

from meshkit.errors import MeshError, Reason, invalid
from meshkit.streams import ServerStream
from meshkit.tasks import task_group
from speech_pool.audio import require_linear16
from speech_pool.ports import (
    Recognition,
    RecognitionEvent,
    RecognitionOptions,
    Recognizer,
    SpeechBegan,
    SpeechEnded,
    Transcript,
    Tuning,
)
from voicemesh.speech.v1 import speech_event_pb2 as event_pb
from voicemesh.speech.v1 import speech_pb2 as pb

MAX_AUDIO_BYTES = 15 * 1024

Stream = ServerStream[pb.StreamingRecognizeResponse, pb.StreamingRecognizeRequest]


async def hear(stream: Stream, recognizer: Recognizer, config: event_pb.RecognitionConfig) -> None:
    """Run one recognition stream to its end. Raises MeshError and what the engine raises."""
    recognition = _start(recognizer, config)
    try:
        async with task_group() as group:
            feeding = group.create_task(_feed(stream, recognition))
            async for event in recognition.events():
                await stream.send(_response(event))
            feeding.cancel()
    finally:
        await recognition.aclose()


def _start(recognizer: Recognizer, config: event_pb.RecognitionConfig) -> Recognition:
    rate = require_linear16(config.audio_format)
    if config.first_sample < 0:
        raise invalid("config.first_sample", "must not be negative")
    options = RecognitionOptions(
        sample_rate_hertz=rate,
        language_codes=tuple(config.language_codes),
        interim_results=config.interim_results,
        tuning=_tuning(config.tuning),
        first_sample=config.first_sample,
    )
    try:
        return recognizer.start(options)
    except ValueError as error:
        raise invalid("config", str(error)) from None


async def _feed(stream: Stream, recognition: Recognition) -> None:
    """Pass on what the holder sends until it half-closes."""
    while (message := await stream.receive()) is not None:
        kind = message.WhichOneof("payload")
        if kind == "audio":
            recognition.write(_whole_samples(message.audio))
        elif kind == "tuning":
            recognition.tune(_tuning(message.tuning))
        elif kind == "flush":
            recognition.flush()
        else:
            raise invalid("payload", "must be audio, tuning, flush or heartbeat after the config")
    recognition.finish()


def _whole_samples(audio: bytes) -> bytes:
    if len(audio) % 2 or len(audio) > MAX_AUDIO_BYTES:
        problem = (
            f"has {len(audio)} bytes; send whole 16-bit samples, at most {MAX_AUDIO_BYTES} bytes"
        )
        raise invalid("audio", problem, Reason.AUDIO_MALFORMED)
    return audio


def _tuning(tuning: event_pb.RecognitionTuning) -> Tuning:
    silence = None
    if tuning.HasField("endpointing_silence"):
        silence = tuning.endpointing_silence.ToTimedelta().total_seconds()
        if not 0.05 <= silence <= 10:
            raise invalid("tuning.endpointing_silence", "must be 50 ms to 10 s")
    return Tuning(phrases=tuple(tuning.phrases), endpointing_silence_seconds=silence)


def _response(event: RecognitionEvent) -> pb.StreamingRecognizeResponse:
    match event:
        case SpeechBegan(sample):
            return _activity(event_pb.SpeechActivity.KIND_BEGIN, sample)
        case SpeechEnded(sample):
            return _activity(event_pb.SpeechActivity.KIND_END, sample)
        case Transcript():
            return pb.StreamingRecognizeResponse(result=_result(event))
    raise MeshError(Reason.INTERNAL_ERROR, f"an engine sent {type(event).__name__}")


def _activity(kind: event_pb.SpeechActivity.Kind, sample: int) -> pb.StreamingRecognizeResponse:
    activity = event_pb.SpeechActivity(kind=kind, sample=sample)
    return pb.StreamingRecognizeResponse(speech_activity=activity)


def _result(event: Transcript) -> event_pb.RecognitionResult:
    return event_pb.RecognitionResult(
        transcript=event.text,
        is_final=event.is_final,
        confidence=event.confidence,
        language_code=event.language_code,
        start_sample=event.start_sample,
        end_sample=event.end_sample,
        end_of_turn_probability=event.end_of_turn_probability,
    )
