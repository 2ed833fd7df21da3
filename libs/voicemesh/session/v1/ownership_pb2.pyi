import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Takeover(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TAKEOVER_UNSPECIFIED: _ClassVar[Takeover]
    TAKEOVER_IF_DEAD: _ClassVar[Takeover]
    TAKEOVER_ALWAYS: _ClassVar[Takeover]
TAKEOVER_UNSPECIFIED: Takeover
TAKEOVER_IF_DEAD: Takeover
TAKEOVER_ALWAYS: Takeover

class CallOwner(_message.Message):
    __slots__ = ("name", "address", "epoch", "expire_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    address: str
    epoch: int
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., address: _Optional[str] = ..., epoch: _Optional[int] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AcquireCallRequest(_message.Message):
    __slots__ = ("session", "address", "request_id", "ttl", "takeover")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    TAKEOVER_FIELD_NUMBER: _ClassVar[int]
    session: str
    address: str
    request_id: str
    ttl: _duration_pb2.Duration
    takeover: Takeover
    def __init__(self, session: _Optional[str] = ..., address: _Optional[str] = ..., request_id: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., takeover: _Optional[_Union[Takeover, str]] = ...) -> None: ...

class AcquireCallResponse(_message.Message):
    __slots__ = ("owner", "previous_owner")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_OWNER_FIELD_NUMBER: _ClassVar[int]
    owner: CallOwner
    previous_owner: CallOwner
    def __init__(self, owner: _Optional[_Union[CallOwner, _Mapping]] = ..., previous_owner: _Optional[_Union[CallOwner, _Mapping]] = ...) -> None: ...

class RenewCallRequest(_message.Message):
    __slots__ = ("session", "owner_epoch", "ttl")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    OWNER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    session: str
    owner_epoch: int
    ttl: _duration_pb2.Duration
    def __init__(self, session: _Optional[str] = ..., owner_epoch: _Optional[int] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RenewCallResponse(_message.Message):
    __slots__ = ("owner",)
    OWNER_FIELD_NUMBER: _ClassVar[int]
    owner: CallOwner
    def __init__(self, owner: _Optional[_Union[CallOwner, _Mapping]] = ...) -> None: ...

class ReleaseCallRequest(_message.Message):
    __slots__ = ("session", "owner_epoch")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    OWNER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    session: str
    owner_epoch: int
    def __init__(self, session: _Optional[str] = ..., owner_epoch: _Optional[int] = ...) -> None: ...

class ReleaseCallResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCallOwnerRequest(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: str
    def __init__(self, session: _Optional[str] = ...) -> None: ...

class GetCallOwnerResponse(_message.Message):
    __slots__ = ("owner",)
    OWNER_FIELD_NUMBER: _ClassVar[int]
    owner: CallOwner
    def __init__(self, owner: _Optional[_Union[CallOwner, _Mapping]] = ...) -> None: ...
