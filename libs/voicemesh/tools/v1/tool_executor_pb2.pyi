import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from voicemesh.mesh.v1 import mesh_pb2 as _mesh_pb2
from voicemesh.tools.v1 import outcome_pb2 as _outcome_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ToolEffect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOOL_EFFECT_UNSPECIFIED: _ClassVar[ToolEffect]
    TOOL_EFFECT_READ_ONLY: _ClassVar[ToolEffect]
    TOOL_EFFECT_IDEMPOTENT: _ClassVar[ToolEffect]
    TOOL_EFFECT_EFFECTFUL: _ClassVar[ToolEffect]
TOOL_EFFECT_UNSPECIFIED: ToolEffect
TOOL_EFFECT_READ_ONLY: ToolEffect
TOOL_EFFECT_IDEMPOTENT: ToolEffect
TOOL_EFFECT_EFFECTFUL: ToolEffect

class Tool(_message.Message):
    __slots__ = ("name", "description", "parameters_json", "tags", "timeout", "effect", "cancellable", "long_running", "confirmed")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_JSON_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    CANCELLABLE_FIELD_NUMBER: _ClassVar[int]
    LONG_RUNNING_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    parameters_json: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    timeout: _duration_pb2.Duration
    effect: ToolEffect
    cancellable: bool
    long_running: bool
    confirmed: bool
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., parameters_json: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., effect: _Optional[_Union[ToolEffect, str]] = ..., cancellable: _Optional[bool] = ..., long_running: _Optional[bool] = ..., confirmed: _Optional[bool] = ...) -> None: ...

class ListToolsRequest(_message.Message):
    __slots__ = ("tags", "page_size", "page_token")
    TAGS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tags: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    page_token: str
    def __init__(self, tags: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListToolsResponse(_message.Message):
    __slots__ = ("tools", "next_page_token")
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tools: _containers.RepeatedCompositeFieldContainer[Tool]
    next_page_token: str
    def __init__(self, tools: _Optional[_Iterable[_Union[Tool, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ExecuteToolRequest(_message.Message):
    __slots__ = ("name", "session", "arguments_json", "request_id", "agent", "owner_epoch", "earlier")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    OWNER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    EARLIER_FIELD_NUMBER: _ClassVar[int]
    name: str
    session: str
    arguments_json: str
    request_id: str
    agent: str
    owner_epoch: int
    earlier: EarlierRuns
    def __init__(self, name: _Optional[str] = ..., session: _Optional[str] = ..., arguments_json: _Optional[str] = ..., request_id: _Optional[str] = ..., agent: _Optional[str] = ..., owner_epoch: _Optional[int] = ..., earlier: _Optional[_Union[EarlierRuns, _Mapping]] = ...) -> None: ...

class EarlierRuns(_message.Message):
    __slots__ = ("same_in_turn", "in_turn", "in_call")
    SAME_IN_TURN_FIELD_NUMBER: _ClassVar[int]
    IN_TURN_FIELD_NUMBER: _ClassVar[int]
    IN_CALL_FIELD_NUMBER: _ClassVar[int]
    same_in_turn: int
    in_turn: int
    in_call: int
    def __init__(self, same_in_turn: _Optional[int] = ..., in_turn: _Optional[int] = ..., in_call: _Optional[int] = ...) -> None: ...

class ExecuteToolResponse(_message.Message):
    __slots__ = ("progress", "outcome", "heartbeat")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    progress: ToolProgress
    outcome: _outcome_pb2.ToolOutcome
    heartbeat: _mesh_pb2.Heartbeat
    def __init__(self, progress: _Optional[_Union[ToolProgress, _Mapping]] = ..., outcome: _Optional[_Union[_outcome_pb2.ToolOutcome, _Mapping]] = ..., heartbeat: _Optional[_Union[_mesh_pb2.Heartbeat, _Mapping]] = ...) -> None: ...

class ToolProgress(_message.Message):
    __slots__ = ("message", "percent")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    message: str
    percent: int
    def __init__(self, message: _Optional[str] = ..., percent: _Optional[int] = ...) -> None: ...

class CancelToolRequest(_message.Message):
    __slots__ = ("request_id",)
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    def __init__(self, request_id: _Optional[str] = ...) -> None: ...

class CancelToolResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
