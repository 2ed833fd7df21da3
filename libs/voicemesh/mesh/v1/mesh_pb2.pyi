import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Heartbeat(_message.Message):
    __slots__ = ("interval", "load")
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    interval: _duration_pb2.Duration
    load: PodLoad
    def __init__(self, interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., load: _Optional[_Union[PodLoad, _Mapping]] = ...) -> None: ...

class PodLoad(_message.Message):
    __slots__ = ("used", "max", "draining")
    USED_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    used: int
    max: int
    draining: bool
    def __init__(self, used: _Optional[int] = ..., max: _Optional[int] = ..., draining: _Optional[bool] = ...) -> None: ...
