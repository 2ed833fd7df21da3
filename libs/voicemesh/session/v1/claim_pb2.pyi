import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from voicemesh.tools.v1 import outcome_pb2 as _outcome_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ToolClaim(_message.Message):
    __slots__ = ("request_id", "state", "holder", "expire_time", "outcome")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[ToolClaim.State]
        STATE_RUNNING: _ClassVar[ToolClaim.State]
        STATE_DONE: _ClassVar[ToolClaim.State]
        STATE_UNKNOWN: _ClassVar[ToolClaim.State]
    STATE_UNSPECIFIED: ToolClaim.State
    STATE_RUNNING: ToolClaim.State
    STATE_DONE: ToolClaim.State
    STATE_UNKNOWN: ToolClaim.State
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    state: ToolClaim.State
    holder: str
    expire_time: _timestamp_pb2.Timestamp
    outcome: _outcome_pb2.ToolOutcome
    def __init__(self, request_id: _Optional[str] = ..., state: _Optional[_Union[ToolClaim.State, str]] = ..., holder: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., outcome: _Optional[_Union[_outcome_pb2.ToolOutcome, _Mapping]] = ...) -> None: ...

class ClaimToolRequest(_message.Message):
    __slots__ = ("request_id", "fingerprint", "holder", "owner_epoch", "rerunnable", "ttl", "claim_token")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    OWNER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    RERUNNABLE_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    CLAIM_TOKEN_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    fingerprint: str
    holder: str
    owner_epoch: int
    rerunnable: bool
    ttl: _duration_pb2.Duration
    claim_token: str
    def __init__(self, request_id: _Optional[str] = ..., fingerprint: _Optional[str] = ..., holder: _Optional[str] = ..., owner_epoch: _Optional[int] = ..., rerunnable: _Optional[bool] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., claim_token: _Optional[str] = ...) -> None: ...

class ClaimToolResponse(_message.Message):
    __slots__ = ("claim", "claim_token")
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    CLAIM_TOKEN_FIELD_NUMBER: _ClassVar[int]
    claim: ToolClaim
    claim_token: str
    def __init__(self, claim: _Optional[_Union[ToolClaim, _Mapping]] = ..., claim_token: _Optional[str] = ...) -> None: ...

class RenewToolClaimRequest(_message.Message):
    __slots__ = ("request_id", "claim_token", "ttl")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIM_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    claim_token: str
    ttl: _duration_pb2.Duration
    def __init__(self, request_id: _Optional[str] = ..., claim_token: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RenewToolClaimResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CompleteToolRequest(_message.Message):
    __slots__ = ("request_id", "claim_token", "outcome")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIM_TOKEN_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    claim_token: str
    outcome: _outcome_pb2.ToolOutcome
    def __init__(self, request_id: _Optional[str] = ..., claim_token: _Optional[str] = ..., outcome: _Optional[_Union[_outcome_pb2.ToolOutcome, _Mapping]] = ...) -> None: ...

class CompleteToolResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetToolClaimRequest(_message.Message):
    __slots__ = ("request_id", "max_wait")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_WAIT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    max_wait: _duration_pb2.Duration
    def __init__(self, request_id: _Optional[str] = ..., max_wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class GetToolClaimResponse(_message.Message):
    __slots__ = ("claim",)
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    claim: ToolClaim
    def __init__(self, claim: _Optional[_Union[ToolClaim, _Mapping]] = ...) -> None: ...

class QuotaDemand(_message.Message):
    __slots__ = ("quota", "amount")
    QUOTA_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    quota: str
    amount: int
    def __init__(self, quota: _Optional[str] = ..., amount: _Optional[int] = ...) -> None: ...

class TakeQuotasRequest(_message.Message):
    __slots__ = ("request_id", "holder", "demands", "ttl")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    DEMANDS_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    holder: str
    demands: _containers.RepeatedCompositeFieldContainer[QuotaDemand]
    ttl: _duration_pb2.Duration
    def __init__(self, request_id: _Optional[str] = ..., holder: _Optional[str] = ..., demands: _Optional[_Iterable[_Union[QuotaDemand, _Mapping]]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class TakeQuotasResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GiveBackQuotasRequest(_message.Message):
    __slots__ = ("request_ids",)
    REQUEST_IDS_FIELD_NUMBER: _ClassVar[int]
    request_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, request_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class GiveBackQuotasResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RenewQuotasRequest(_message.Message):
    __slots__ = ("holder", "ttl")
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    holder: str
    ttl: _duration_pb2.Duration
    def __init__(self, holder: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RenewQuotasResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
