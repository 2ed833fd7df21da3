import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AudioEncoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIO_ENCODING_UNSPECIFIED: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_LINEAR16: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_MULAW: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_ALAW: _ClassVar[AudioEncoding]
AUDIO_ENCODING_UNSPECIFIED: AudioEncoding
AUDIO_ENCODING_LINEAR16: AudioEncoding
AUDIO_ENCODING_MULAW: AudioEncoding
AUDIO_ENCODING_ALAW: AudioEncoding

class AudioFormat(_message.Message):
    __slots__ = ("encoding", "sample_rate_hertz")
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HERTZ_FIELD_NUMBER: _ClassVar[int]
    encoding: AudioEncoding
    sample_rate_hertz: int
    def __init__(self, encoding: _Optional[_Union[AudioEncoding, str]] = ..., sample_rate_hertz: _Optional[int] = ...) -> None: ...

class RecognitionConfig(_message.Message):
    __slots__ = ("lease", "audio_format", "language_codes", "interim_results", "tuning", "first_sample")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FORMAT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODES_FIELD_NUMBER: _ClassVar[int]
    INTERIM_RESULTS_FIELD_NUMBER: _ClassVar[int]
    TUNING_FIELD_NUMBER: _ClassVar[int]
    FIRST_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    lease: str
    audio_format: AudioFormat
    language_codes: _containers.RepeatedScalarFieldContainer[str]
    interim_results: bool
    tuning: RecognitionTuning
    first_sample: int
    def __init__(self, lease: _Optional[str] = ..., audio_format: _Optional[_Union[AudioFormat, _Mapping]] = ..., language_codes: _Optional[_Iterable[str]] = ..., interim_results: _Optional[bool] = ..., tuning: _Optional[_Union[RecognitionTuning, _Mapping]] = ..., first_sample: _Optional[int] = ...) -> None: ...

class RecognitionTuning(_message.Message):
    __slots__ = ("phrases", "endpointing_silence")
    PHRASES_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTING_SILENCE_FIELD_NUMBER: _ClassVar[int]
    phrases: _containers.RepeatedScalarFieldContainer[str]
    endpointing_silence: _duration_pb2.Duration
    def __init__(self, phrases: _Optional[_Iterable[str]] = ..., endpointing_silence: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RecognitionFlush(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SpeechActivity(_message.Message):
    __slots__ = ("kind", "sample")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[SpeechActivity.Kind]
        KIND_BEGIN: _ClassVar[SpeechActivity.Kind]
        KIND_END: _ClassVar[SpeechActivity.Kind]
    KIND_UNSPECIFIED: SpeechActivity.Kind
    KIND_BEGIN: SpeechActivity.Kind
    KIND_END: SpeechActivity.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    kind: SpeechActivity.Kind
    sample: int
    def __init__(self, kind: _Optional[_Union[SpeechActivity.Kind, str]] = ..., sample: _Optional[int] = ...) -> None: ...

class RecognitionResult(_message.Message):
    __slots__ = ("transcript", "is_final", "confidence", "language_code", "start_sample", "end_sample", "end_of_turn_probability")
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    IS_FINAL_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    START_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    END_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    END_OF_TURN_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    transcript: str
    is_final: bool
    confidence: float
    language_code: str
    start_sample: int
    end_sample: int
    end_of_turn_probability: float
    def __init__(self, transcript: _Optional[str] = ..., is_final: _Optional[bool] = ..., confidence: _Optional[float] = ..., language_code: _Optional[str] = ..., start_sample: _Optional[int] = ..., end_sample: _Optional[int] = ..., end_of_turn_probability: _Optional[float] = ...) -> None: ...

class SynthesisConfig(_message.Message):
    __slots__ = ("lease", "audio_format", "voice")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FORMAT_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    lease: str
    audio_format: AudioFormat
    voice: Voice
    def __init__(self, lease: _Optional[str] = ..., audio_format: _Optional[_Union[AudioFormat, _Mapping]] = ..., voice: _Optional[_Union[Voice, _Mapping]] = ...) -> None: ...

class Voice(_message.Message):
    __slots__ = ("name", "style", "rate", "pitch")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    PITCH_FIELD_NUMBER: _ClassVar[int]
    name: str
    style: str
    rate: str
    pitch: str
    def __init__(self, name: _Optional[str] = ..., style: _Optional[str] = ..., rate: _Optional[str] = ..., pitch: _Optional[str] = ...) -> None: ...

class SynthesisSegment(_message.Message):
    __slots__ = ("segment", "text", "voice", "start_offset")
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    segment: str
    text: str
    voice: Voice
    start_offset: int
    def __init__(self, segment: _Optional[str] = ..., text: _Optional[str] = ..., voice: _Optional[_Union[Voice, _Mapping]] = ..., start_offset: _Optional[int] = ...) -> None: ...

class SynthesisCancel(_message.Message):
    __slots__ = ("segments",)
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    segments: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, segments: _Optional[_Iterable[str]] = ...) -> None: ...

class SynthesizedAudio(_message.Message):
    __slots__ = ("segment", "audio")
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    segment: str
    audio: bytes
    def __init__(self, segment: _Optional[str] = ..., audio: _Optional[bytes] = ...) -> None: ...

class WordBoundary(_message.Message):
    __slots__ = ("segment", "text_offset", "text_length", "sample")
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    TEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    TEXT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    segment: str
    text_offset: int
    text_length: int
    sample: int
    def __init__(self, segment: _Optional[str] = ..., text_offset: _Optional[int] = ..., text_length: _Optional[int] = ..., sample: _Optional[int] = ...) -> None: ...

class SegmentCompleted(_message.Message):
    __slots__ = ("segment", "sample_count", "cancelled")
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    segment: str
    sample_count: int
    cancelled: bool
    def __init__(self, segment: _Optional[str] = ..., sample_count: _Optional[int] = ..., cancelled: _Optional[bool] = ...) -> None: ...
