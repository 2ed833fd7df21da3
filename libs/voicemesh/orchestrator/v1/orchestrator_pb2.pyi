import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from voicemesh.mesh.v1 import mesh_pb2 as _mesh_pb2
from voicemesh.speech.v1 import speech_event_pb2 as _speech_event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConverseRequest(_message.Message):
    __slots__ = ("start", "utterance", "interruption", "heard", "call_ended", "heartbeat")
    START_FIELD_NUMBER: _ClassVar[int]
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTION_FIELD_NUMBER: _ClassVar[int]
    HEARD_FIELD_NUMBER: _ClassVar[int]
    CALL_ENDED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    start: ConversationStart
    utterance: UserUtterance
    interruption: Interruption
    heard: SegmentPlayed
    call_ended: CallEnded
    heartbeat: _mesh_pb2.Heartbeat
    def __init__(self, start: _Optional[_Union[ConversationStart, _Mapping]] = ..., utterance: _Optional[_Union[UserUtterance, _Mapping]] = ..., interruption: _Optional[_Union[Interruption, _Mapping]] = ..., heard: _Optional[_Union[SegmentPlayed, _Mapping]] = ..., call_ended: _Optional[_Union[CallEnded, _Mapping]] = ..., heartbeat: _Optional[_Union[_mesh_pb2.Heartbeat, _Mapping]] = ...) -> None: ...

class ConversationStart(_message.Message):
    __slots__ = ("session", "scenario", "owner_epoch", "context_json")
    class ContextJsonEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    OWNER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_JSON_FIELD_NUMBER: _ClassVar[int]
    session: str
    scenario: str
    owner_epoch: int
    context_json: _containers.ScalarMap[str, str]
    def __init__(self, session: _Optional[str] = ..., scenario: _Optional[str] = ..., owner_epoch: _Optional[int] = ..., context_json: _Optional[_Mapping[str, str]] = ...) -> None: ...

class UserUtterance(_message.Message):
    __slots__ = ("utterance", "transcript", "language_code", "confidence", "start_sample", "end_sample", "keyed")
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    START_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    END_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    KEYED_FIELD_NUMBER: _ClassVar[int]
    utterance: str
    transcript: str
    language_code: str
    confidence: float
    start_sample: int
    end_sample: int
    keyed: bool
    def __init__(self, utterance: _Optional[str] = ..., transcript: _Optional[str] = ..., language_code: _Optional[str] = ..., confidence: _Optional[float] = ..., start_sample: _Optional[int] = ..., end_sample: _Optional[int] = ..., keyed: _Optional[bool] = ...) -> None: ...

class Interruption(_message.Message):
    __slots__ = ("turn",)
    TURN_FIELD_NUMBER: _ClassVar[int]
    turn: str
    def __init__(self, turn: _Optional[str] = ...) -> None: ...

class SegmentPlayed(_message.Message):
    __slots__ = ("segment", "heard_text_length", "interrupted")
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    HEARD_TEXT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_FIELD_NUMBER: _ClassVar[int]
    segment: str
    heard_text_length: int
    interrupted: bool
    def __init__(self, segment: _Optional[str] = ..., heard_text_length: _Optional[int] = ..., interrupted: _Optional[bool] = ...) -> None: ...

class CallEnded(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class ConverseResponse(_message.Message):
    __slots__ = ("ready", "utterance_ack", "turn_started", "segment", "tool_call_started", "turn_completed", "heartbeat")
    READY_FIELD_NUMBER: _ClassVar[int]
    UTTERANCE_ACK_FIELD_NUMBER: _ClassVar[int]
    TURN_STARTED_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_STARTED_FIELD_NUMBER: _ClassVar[int]
    TURN_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    ready: ConversationReady
    utterance_ack: UtteranceAck
    turn_started: TurnStarted
    segment: SpeechSegment
    tool_call_started: ToolCallStarted
    turn_completed: TurnCompleted
    heartbeat: _mesh_pb2.Heartbeat
    def __init__(self, ready: _Optional[_Union[ConversationReady, _Mapping]] = ..., utterance_ack: _Optional[_Union[UtteranceAck, _Mapping]] = ..., turn_started: _Optional[_Union[TurnStarted, _Mapping]] = ..., segment: _Optional[_Union[SpeechSegment, _Mapping]] = ..., tool_call_started: _Optional[_Union[ToolCallStarted, _Mapping]] = ..., turn_completed: _Optional[_Union[TurnCompleted, _Mapping]] = ..., heartbeat: _Optional[_Union[_mesh_pb2.Heartbeat, _Mapping]] = ...) -> None: ...

class ConversationReady(_message.Message):
    __slots__ = ("agent",)
    AGENT_FIELD_NUMBER: _ClassVar[int]
    agent: str
    def __init__(self, agent: _Optional[str] = ...) -> None: ...

class UtteranceAck(_message.Message):
    __slots__ = ("utterance",)
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    utterance: str
    def __init__(self, utterance: _Optional[str] = ...) -> None: ...

class TurnStarted(_message.Message):
    __slots__ = ("turn", "cause", "agent", "voice")
    TURN_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    turn: str
    cause: str
    agent: str
    voice: _speech_event_pb2.Voice
    def __init__(self, turn: _Optional[str] = ..., cause: _Optional[str] = ..., agent: _Optional[str] = ..., voice: _Optional[_Union[_speech_event_pb2.Voice, _Mapping]] = ...) -> None: ...

class SpeechSegment(_message.Message):
    __slots__ = ("segment", "text")
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    segment: str
    text: str
    def __init__(self, segment: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class ToolCallStarted(_message.Message):
    __slots__ = ("request_id", "tool")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    tool: str
    def __init__(self, request_id: _Optional[str] = ..., tool: _Optional[str] = ...) -> None: ...

class TurnCompleted(_message.Message):
    __slots__ = ("turn", "outcome", "failure_reason", "first_segment_latency", "first_token_latency", "model_duration", "tool_duration", "model_usage", "unmeasured_answers")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OUTCOME_UNSPECIFIED: _ClassVar[TurnCompleted.Outcome]
        OUTCOME_COMPLETED: _ClassVar[TurnCompleted.Outcome]
        OUTCOME_INTERRUPTED: _ClassVar[TurnCompleted.Outcome]
        OUTCOME_FAILED: _ClassVar[TurnCompleted.Outcome]
    OUTCOME_UNSPECIFIED: TurnCompleted.Outcome
    OUTCOME_COMPLETED: TurnCompleted.Outcome
    OUTCOME_INTERRUPTED: TurnCompleted.Outcome
    OUTCOME_FAILED: TurnCompleted.Outcome
    TURN_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    FAILURE_REASON_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEGMENT_LATENCY_FIELD_NUMBER: _ClassVar[int]
    FIRST_TOKEN_LATENCY_FIELD_NUMBER: _ClassVar[int]
    MODEL_DURATION_FIELD_NUMBER: _ClassVar[int]
    TOOL_DURATION_FIELD_NUMBER: _ClassVar[int]
    MODEL_USAGE_FIELD_NUMBER: _ClassVar[int]
    UNMEASURED_ANSWERS_FIELD_NUMBER: _ClassVar[int]
    turn: str
    outcome: TurnCompleted.Outcome
    failure_reason: str
    first_segment_latency: _duration_pb2.Duration
    first_token_latency: _duration_pb2.Duration
    model_duration: _duration_pb2.Duration
    tool_duration: _duration_pb2.Duration
    model_usage: _containers.RepeatedCompositeFieldContainer[ModelUsage]
    unmeasured_answers: int
    def __init__(self, turn: _Optional[str] = ..., outcome: _Optional[_Union[TurnCompleted.Outcome, str]] = ..., failure_reason: _Optional[str] = ..., first_segment_latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., first_token_latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., model_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., tool_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., model_usage: _Optional[_Iterable[_Union[ModelUsage, _Mapping]]] = ..., unmeasured_answers: _Optional[int] = ...) -> None: ...

class ModelUsage(_message.Message):
    __slots__ = ("provider", "model", "input_tokens", "cached_input_tokens", "output_tokens")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    provider: str
    model: str
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    def __init__(self, provider: _Optional[str] = ..., model: _Optional[str] = ..., input_tokens: _Optional[int] = ..., cached_input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ...) -> None: ...
