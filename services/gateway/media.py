"""The JSON of the ACS media WebSocket, and the rules a caller's side must keep. Pure.

Shapes as Microsoft documents them for bidirectional audio streaming. ACS writes keys in camelCase;
PascalCase is read as well. Audio is 16-bit little-endian PCM, 16 kHz, mono, 20 ms a message.

`MediaProtocol.feed` turns one text message into a `Metadata`, `Audio` or `Dtmf`. A message that is
not understood is counted and passed over, up to a bound; what cannot go on raises `MediaRefused`
with a close code of README.md.
"""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass

import msgspec

SAMPLE_RATE = 16_000
FRAME_SECONDS = 0.02
FRAME_BYTES = 640
BYTES_PER_SAMPLE = 2
TONES = frozenset("0123456789*#ABCD")


class CloseCode(enum.IntEnum):
    """Why the gateway closed a media socket. README.md says what the other side does."""

    DONE = 1000
    GOING_AWAY = 1001
    TOO_LARGE = 1009
    INTERNAL = 1011
    TRY_AGAIN_LATER = 1013
    AUTHENTICATION = 4001
    MALFORMED = 4400
    NO_METADATA = 4408
    TAKEN_OVER = 4409
    UNSUPPORTED_AUDIO = 4415


class MediaRefused(Exception):
    """The socket cannot go on: close it with `code` and `reason`, which names nobody's words."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Metadata:
    """The first message: what audio follows."""

    encoding: str
    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class Audio:
    """The caller's next audio: whole samples, headerless."""

    pcm: bytes
    silent: bool
    """ACS says that this is silence."""


@dataclass(frozen=True, slots=True)
class Dtmf:
    """A key that the caller pressed: one of `TONES`."""

    tone: str


Message = Metadata | Audio | Dtmf


class MediaProtocol:
    """What one socket has said so far. `max_malformed` messages may be passed over."""

    def __init__(self, max_malformed: int) -> None:
        self.metadata: Metadata | None = None
        self.malformed: Counter[str] = Counter()
        self._max_malformed = max_malformed

    def feed(self, text: bytes | memoryview) -> Message | None:
        """The message, or None for one that was passed over. Raises MediaRefused."""
        try:
            message = _parse(text)
        except _Malformed as error:
            self._pass_over(error.problem)
            return None
        if isinstance(message, Metadata):
            return self._described(message)
        if self.metadata is None:
            self._pass_over("audio before metadata")
            return None
        return message

    def _described(self, metadata: Metadata) -> Metadata | None:
        wanted = (metadata.encoding.upper(), metadata.sample_rate, metadata.channels)
        if wanted != ("PCM", SAMPLE_RATE, 1):
            raise MediaRefused(
                CloseCode.UNSUPPORTED_AUDIO, "audio must be PCM, 16000 Hz, 1 channel (pcm16KMono)"
            )
        first = self.metadata is None
        self.metadata = metadata
        return metadata if first else None

    def _pass_over(self, problem: str) -> None:
        self.malformed[problem] += 1
        if self.malformed.total() > self._max_malformed:
            raise MediaRefused(CloseCode.MALFORMED, f"too many malformed messages: {problem}")


# ------------------------------------------------------------------ wire


class _AudioCamel(msgspec.Struct, rename="camel"):
    data: bytes
    silent: bool = False


class _MetadataCamel(msgspec.Struct, rename="camel"):
    encoding: str
    sample_rate: int
    channels: int = 1


class _DtmfCamel(msgspec.Struct, rename="camel"):
    data: str


class _MessageCamel(msgspec.Struct, rename="camel"):
    kind: str = ""
    audio_data: _AudioCamel | None = None
    audio_metadata: _MetadataCamel | None = None
    dtmf_data: _DtmfCamel | None = None


class _AudioPascal(msgspec.Struct, rename="pascal"):
    data: bytes
    silent: bool = False


class _MetadataPascal(msgspec.Struct, rename="pascal"):
    encoding: str
    sample_rate: int
    channels: int = 1


class _DtmfPascal(msgspec.Struct, rename="pascal"):
    data: str


class _MessagePascal(msgspec.Struct, rename="pascal"):
    kind: str = ""
    audio_data: _AudioPascal | None = None
    audio_metadata: _MetadataPascal | None = None
    dtmf_data: _DtmfPascal | None = None


class _AudioOut(msgspec.Struct):
    data: bytes


class _MessageOut(msgspec.Struct, rename="camel"):
    kind: str
    audio_data: _AudioOut
    stop_audio: None = None


_CAMEL = msgspec.json.Decoder(_MessageCamel)
_PASCAL = msgspec.json.Decoder(_MessagePascal)
_ENCODER = msgspec.json.Encoder()

STOP_AUDIO = b'{"Kind":"StopAudio","AudioData":null,"StopAudio":{}}'
"""Throw away what was sent and not played yet."""


class _Malformed(Exception):
    def __init__(self, problem: str) -> None:
        self.problem = problem


def encode_audio(pcm: bytes) -> bytes:
    """One frame of the agent's audio, as ACS reads it."""
    return _ENCODER.encode(_MessageOut("AudioData", _AudioOut(pcm)))


def _parse(text: bytes | memoryview) -> Message:
    try:
        message: _MessageCamel | _MessagePascal = _CAMEL.decode(text)
        if not message.kind:
            message = _PASCAL.decode(text)
    except msgspec.ValidationError:
        raise _Malformed("a field is missing, of the wrong type or not base64") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _Malformed("not JSON") from None
    return _message(message)


def _message(message: _MessageCamel | _MessagePascal) -> Message:
    audio = message.audio_data
    if message.kind == "AudioData" and audio is not None:
        if len(audio.data) % BYTES_PER_SAMPLE:
            raise _Malformed("half a sample")
        return Audio(audio.data, audio.silent)
    if message.kind == "DtmfData" and message.dtmf_data is not None:
        return _dtmf(message.dtmf_data.data)
    described = message.audio_metadata
    if message.kind == "AudioMetadata" and described is not None:
        return Metadata(described.encoding, described.sample_rate, described.channels)
    raise _Malformed("unknown kind, or a kind without its content")


def _dtmf(tone: str) -> Dtmf:
    if tone.upper() not in TONES:
        raise _Malformed("not a DTMF tone")
    return Dtmf(tone.upper())
