import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("service", "version", "start_time", "not_ready_reasons", "certificate_end_time", "settings_generation", "waiting_settings", "task_count")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    NOT_READY_REASONS_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_END_TIME_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_GENERATION_FIELD_NUMBER: _ClassVar[int]
    WAITING_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    TASK_COUNT_FIELD_NUMBER: _ClassVar[int]
    service: str
    version: str
    start_time: _timestamp_pb2.Timestamp
    not_ready_reasons: _containers.RepeatedScalarFieldContainer[str]
    certificate_end_time: _timestamp_pb2.Timestamp
    settings_generation: int
    waiting_settings: _containers.RepeatedScalarFieldContainer[str]
    task_count: int
    def __init__(self, service: _Optional[str] = ..., version: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., not_ready_reasons: _Optional[_Iterable[str]] = ..., certificate_end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., settings_generation: _Optional[int] = ..., waiting_settings: _Optional[_Iterable[str]] = ..., task_count: _Optional[int] = ...) -> None: ...

class GetTaskDumpRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TaskState(_message.Message):
    __slots__ = ("name", "places")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PLACES_FIELD_NUMBER: _ClassVar[int]
    name: str
    places: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., places: _Optional[_Iterable[str]] = ...) -> None: ...

class GetTaskDumpResponse(_message.Message):
    __slots__ = ("task_count", "tasks")
    TASK_COUNT_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    task_count: int
    tasks: _containers.RepeatedCompositeFieldContainer[TaskState]
    def __init__(self, task_count: _Optional[int] = ..., tasks: _Optional[_Iterable[_Union[TaskState, _Mapping]]] = ...) -> None: ...

class CaptureProfileRequest(_message.Message):
    __slots__ = ("duration",)
    DURATION_FIELD_NUMBER: _ClassVar[int]
    duration: _duration_pb2.Duration
    def __init__(self, duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StackCount(_message.Message):
    __slots__ = ("stack", "sample_count")
    STACK_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    stack: str
    sample_count: int
    def __init__(self, stack: _Optional[str] = ..., sample_count: _Optional[int] = ...) -> None: ...

class CaptureProfileResponse(_message.Message):
    __slots__ = ("sample_count", "stacks")
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    STACKS_FIELD_NUMBER: _ClassVar[int]
    sample_count: int
    stacks: _containers.RepeatedCompositeFieldContainer[StackCount]
    def __init__(self, sample_count: _Optional[int] = ..., stacks: _Optional[_Iterable[_Union[StackCount, _Mapping]]] = ...) -> None: ...
