import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from voicemesh.tools.v1 import outcome_pb2 as _outcome_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_USER: _ClassVar[Role]
    ROLE_ASSISTANT: _ClassVar[Role]
    ROLE_TOOL: _ClassVar[Role]
ROLE_UNSPECIFIED: Role
ROLE_USER: Role
ROLE_ASSISTANT: Role
ROLE_TOOL: Role

class JournalEvent(_message.Message):
    __slots__ = ("event_id", "sequence", "owner_epoch", "create_time", "utterance", "turn_began", "round", "tool", "segment", "heard", "turn_ended", "verified_changed", "context_changed", "owner_changed", "ended")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    OWNER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    TURN_BEGAN_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    HEARD_FIELD_NUMBER: _ClassVar[int]
    TURN_ENDED_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_CHANGED_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_CHANGED_FIELD_NUMBER: _ClassVar[int]
    OWNER_CHANGED_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    sequence: int
    owner_epoch: int
    create_time: _timestamp_pb2.Timestamp
    utterance: UtteranceAccepted
    turn_began: TurnBegan
    round: RoundAnswered
    tool: ToolAnswered
    segment: SegmentPlanned
    heard: SegmentHeard
    turn_ended: TurnEnded
    verified_changed: VerifiedChanged
    context_changed: ContextChanged
    owner_changed: OwnerChanged
    ended: SessionEnded
    def __init__(self, event_id: _Optional[str] = ..., sequence: _Optional[int] = ..., owner_epoch: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., utterance: _Optional[_Union[UtteranceAccepted, _Mapping]] = ..., turn_began: _Optional[_Union[TurnBegan, _Mapping]] = ..., round: _Optional[_Union[RoundAnswered, _Mapping]] = ..., tool: _Optional[_Union[ToolAnswered, _Mapping]] = ..., segment: _Optional[_Union[SegmentPlanned, _Mapping]] = ..., heard: _Optional[_Union[SegmentHeard, _Mapping]] = ..., turn_ended: _Optional[_Union[TurnEnded, _Mapping]] = ..., verified_changed: _Optional[_Union[VerifiedChanged, _Mapping]] = ..., context_changed: _Optional[_Union[ContextChanged, _Mapping]] = ..., owner_changed: _Optional[_Union[OwnerChanged, _Mapping]] = ..., ended: _Optional[_Union[SessionEnded, _Mapping]] = ...) -> None: ...

class UtteranceAccepted(_message.Message):
    __slots__ = ("utterance", "transcript", "start_sample", "end_sample", "language_code", "confidence", "keyed")
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    START_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    END_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    KEYED_FIELD_NUMBER: _ClassVar[int]
    utterance: str
    transcript: str
    start_sample: int
    end_sample: int
    language_code: str
    confidence: float
    keyed: bool
    def __init__(self, utterance: _Optional[str] = ..., transcript: _Optional[str] = ..., start_sample: _Optional[int] = ..., end_sample: _Optional[int] = ..., language_code: _Optional[str] = ..., confidence: _Optional[float] = ..., keyed: _Optional[bool] = ...) -> None: ...

class TurnBegan(_message.Message):
    __slots__ = ("turn", "cause", "agent", "traceparent")
    TURN_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    turn: str
    cause: str
    agent: str
    traceparent: str
    def __init__(self, turn: _Optional[str] = ..., cause: _Optional[str] = ..., agent: _Optional[str] = ..., traceparent: _Optional[str] = ...) -> None: ...

class RoundAnswered(_message.Message):
    __slots__ = ("turn", "round", "agent", "text", "tool_calls", "model", "input_tokens", "output_tokens")
    TURN_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALLS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    turn: str
    round: int
    agent: str
    text: str
    tool_calls: _containers.RepeatedCompositeFieldContainer[ToolCall]
    model: str
    input_tokens: int
    output_tokens: int
    def __init__(self, turn: _Optional[str] = ..., round: _Optional[int] = ..., agent: _Optional[str] = ..., text: _Optional[str] = ..., tool_calls: _Optional[_Iterable[_Union[ToolCall, _Mapping]]] = ..., model: _Optional[str] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ...) -> None: ...

class ToolCall(_message.Message):
    __slots__ = ("request_id", "call_id", "tool", "arguments_json")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    call_id: str
    tool: str
    arguments_json: str
    def __init__(self, request_id: _Optional[str] = ..., call_id: _Optional[str] = ..., tool: _Optional[str] = ..., arguments_json: _Optional[str] = ...) -> None: ...

class ToolAnswered(_message.Message):
    __slots__ = ("request_id", "outcome")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    outcome: _outcome_pb2.ToolOutcome
    def __init__(self, request_id: _Optional[str] = ..., outcome: _Optional[_Union[_outcome_pb2.ToolOutcome, _Mapping]] = ...) -> None: ...

class SegmentPlanned(_message.Message):
    __slots__ = ("segment", "text", "agent")
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    segment: str
    text: str
    agent: str
    def __init__(self, segment: _Optional[str] = ..., text: _Optional[str] = ..., agent: _Optional[str] = ...) -> None: ...

class SegmentHeard(_message.Message):
    __slots__ = ("segment", "heard_samples", "heard_text_length", "interrupted")
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    HEARD_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    HEARD_TEXT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_FIELD_NUMBER: _ClassVar[int]
    segment: str
    heard_samples: int
    heard_text_length: int
    interrupted: bool
    def __init__(self, segment: _Optional[str] = ..., heard_samples: _Optional[int] = ..., heard_text_length: _Optional[int] = ..., interrupted: _Optional[bool] = ...) -> None: ...

class TurnEnded(_message.Message):
    __slots__ = ("turn", "failure_reason")
    TURN_FIELD_NUMBER: _ClassVar[int]
    FAILURE_REASON_FIELD_NUMBER: _ClassVar[int]
    turn: str
    failure_reason: str
    def __init__(self, turn: _Optional[str] = ..., failure_reason: _Optional[str] = ...) -> None: ...

class VerifiedChanged(_message.Message):
    __slots__ = ("verified",)
    VERIFIED_FIELD_NUMBER: _ClassVar[int]
    verified: VerifiedRecord
    def __init__(self, verified: _Optional[_Union[VerifiedRecord, _Mapping]] = ...) -> None: ...

class ContextChanged(_message.Message):
    __slots__ = ("written", "removed")
    class WrittenEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    written: _containers.ScalarMap[str, str]
    removed: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, written: _Optional[_Mapping[str, str]] = ..., removed: _Optional[_Iterable[str]] = ...) -> None: ...

class OwnerChanged(_message.Message):
    __slots__ = ("address", "epoch")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    address: str
    epoch: int
    def __init__(self, address: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class SessionEnded(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("cause", "role", "agent", "text", "tool_calls", "request_id", "interrupted", "create_time")
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALLS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    cause: str
    role: Role
    agent: str
    text: str
    tool_calls: _containers.RepeatedCompositeFieldContainer[ToolCall]
    request_id: str
    interrupted: bool
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, cause: _Optional[str] = ..., role: _Optional[_Union[Role, str]] = ..., agent: _Optional[str] = ..., text: _Optional[str] = ..., tool_calls: _Optional[_Iterable[_Union[ToolCall, _Mapping]]] = ..., request_id: _Optional[str] = ..., interrupted: _Optional[bool] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class VerifiedRecord(_message.Message):
    __slots__ = ("name", "client_id", "proofs", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    PROOFS_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    client_id: str
    proofs: _containers.RepeatedCompositeFieldContainer[Proof]
    etag: str
    def __init__(self, name: _Optional[str] = ..., client_id: _Optional[str] = ..., proofs: _Optional[_Iterable[_Union[Proof, _Mapping]]] = ..., etag: _Optional[str] = ...) -> None: ...

class Proof(_message.Message):
    __slots__ = ("level", "method", "request_id", "prove_time", "expire_time")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PROVE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    level: str
    method: str
    request_id: str
    prove_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, level: _Optional[str] = ..., method: _Optional[str] = ..., request_id: _Optional[str] = ..., prove_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
