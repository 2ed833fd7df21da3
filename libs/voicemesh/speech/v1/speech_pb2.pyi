from voicemesh.mesh.v1 import mesh_pb2 as _mesh_pb2
from voicemesh.speech.v1 import speech_event_pb2 as _speech_event_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StreamingRecognizeRequest(_message.Message):
    __slots__ = ("config", "audio", "tuning", "flush", "heartbeat")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    TUNING_FIELD_NUMBER: _ClassVar[int]
    FLUSH_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    config: _speech_event_pb2.RecognitionConfig
    audio: bytes
    tuning: _speech_event_pb2.RecognitionTuning
    flush: _speech_event_pb2.RecognitionFlush
    heartbeat: _mesh_pb2.Heartbeat
    def __init__(self, config: _Optional[_Union[_speech_event_pb2.RecognitionConfig, _Mapping]] = ..., audio: _Optional[bytes] = ..., tuning: _Optional[_Union[_speech_event_pb2.RecognitionTuning, _Mapping]] = ..., flush: _Optional[_Union[_speech_event_pb2.RecognitionFlush, _Mapping]] = ..., heartbeat: _Optional[_Union[_mesh_pb2.Heartbeat, _Mapping]] = ...) -> None: ...

class StreamingRecognizeResponse(_message.Message):
    __slots__ = ("speech_activity", "result", "heartbeat")
    SPEECH_ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    speech_activity: _speech_event_pb2.SpeechActivity
    result: _speech_event_pb2.RecognitionResult
    heartbeat: _mesh_pb2.Heartbeat
    def __init__(self, speech_activity: _Optional[_Union[_speech_event_pb2.SpeechActivity, _Mapping]] = ..., result: _Optional[_Union[_speech_event_pb2.RecognitionResult, _Mapping]] = ..., heartbeat: _Optional[_Union[_mesh_pb2.Heartbeat, _Mapping]] = ...) -> None: ...

class StreamingSynthesizeRequest(_message.Message):
    __slots__ = ("config", "segment", "cancel", "heartbeat")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    config: _speech_event_pb2.SynthesisConfig
    segment: _speech_event_pb2.SynthesisSegment
    cancel: _speech_event_pb2.SynthesisCancel
    heartbeat: _mesh_pb2.Heartbeat
    def __init__(self, config: _Optional[_Union[_speech_event_pb2.SynthesisConfig, _Mapping]] = ..., segment: _Optional[_Union[_speech_event_pb2.SynthesisSegment, _Mapping]] = ..., cancel: _Optional[_Union[_speech_event_pb2.SynthesisCancel, _Mapping]] = ..., heartbeat: _Optional[_Union[_mesh_pb2.Heartbeat, _Mapping]] = ...) -> None: ...

class StreamingSynthesizeResponse(_message.Message):
    __slots__ = ("audio", "word_boundary", "segment_completed", "heartbeat")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    WORD_BOUNDARY_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    audio: _speech_event_pb2.SynthesizedAudio
    word_boundary: _speech_event_pb2.WordBoundary
    segment_completed: _speech_event_pb2.SegmentCompleted
    heartbeat: _mesh_pb2.Heartbeat
    def __init__(self, audio: _Optional[_Union[_speech_event_pb2.SynthesizedAudio, _Mapping]] = ..., word_boundary: _Optional[_Union[_speech_event_pb2.WordBoundary, _Mapping]] = ..., segment_completed: _Optional[_Union[_speech_event_pb2.SegmentCompleted, _Mapping]] = ..., heartbeat: _Optional[_Union[_mesh_pb2.Heartbeat, _Mapping]] = ...) -> None: ...
