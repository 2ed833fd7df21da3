import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from voicemesh.mesh.v1 import mesh_pb2 as _mesh_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AllocationTier(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALLOCATION_TIER_UNSPECIFIED: _ClassVar[AllocationTier]
    ALLOCATION_TIER_DEDICATED: _ClassVar[AllocationTier]
    ALLOCATION_TIER_WARM: _ClassVar[AllocationTier]
    ALLOCATION_TIER_COLD: _ClassVar[AllocationTier]

class ClientKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLIENT_KIND_UNSPECIFIED: _ClassVar[ClientKind]
    CLIENT_KIND_RECOGNIZER: _ClassVar[ClientKind]
    CLIENT_KIND_SYNTHESIZER: _ClassVar[ClientKind]
    CLIENT_KIND_REALTIME: _ClassVar[ClientKind]

class BreakerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BREAKER_STATE_UNSPECIFIED: _ClassVar[BreakerState]
    BREAKER_STATE_CLOSED: _ClassVar[BreakerState]
    BREAKER_STATE_OPEN: _ClassVar[BreakerState]
    BREAKER_STATE_HALF_OPEN: _ClassVar[BreakerState]
ALLOCATION_TIER_UNSPECIFIED: AllocationTier
ALLOCATION_TIER_DEDICATED: AllocationTier
ALLOCATION_TIER_WARM: AllocationTier
ALLOCATION_TIER_COLD: AllocationTier
CLIENT_KIND_UNSPECIFIED: ClientKind
CLIENT_KIND_RECOGNIZER: ClientKind
CLIENT_KIND_SYNTHESIZER: ClientKind
CLIENT_KIND_REALTIME: ClientKind
BREAKER_STATE_UNSPECIFIED: BreakerState
BREAKER_STATE_CLOSED: BreakerState
BREAKER_STATE_OPEN: BreakerState
BREAKER_STATE_HALF_OPEN: BreakerState

class Lease(_message.Message):
    __slots__ = ("name", "client_kind", "tier", "address", "expire_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CLIENT_KIND_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    client_kind: ClientKind
    tier: AllocationTier
    address: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., client_kind: _Optional[_Union[ClientKind, str]] = ..., tier: _Optional[_Union[AllocationTier, str]] = ..., address: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AllocateClientRequest(_message.Message):
    __slots__ = ("session", "client_kind", "allowed_tiers", "ttl", "request_id", "max_wait")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    CLIENT_KIND_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_TIERS_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_WAIT_FIELD_NUMBER: _ClassVar[int]
    session: str
    client_kind: ClientKind
    allowed_tiers: _containers.RepeatedScalarFieldContainer[AllocationTier]
    ttl: _duration_pb2.Duration
    request_id: str
    max_wait: _duration_pb2.Duration
    def __init__(self, session: _Optional[str] = ..., client_kind: _Optional[_Union[ClientKind, str]] = ..., allowed_tiers: _Optional[_Iterable[_Union[AllocationTier, str]]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., request_id: _Optional[str] = ..., max_wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class AllocateClientResponse(_message.Message):
    __slots__ = ("lease", "allocation_duration")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_DURATION_FIELD_NUMBER: _ClassVar[int]
    lease: Lease
    allocation_duration: _duration_pb2.Duration
    def __init__(self, lease: _Optional[_Union[Lease, _Mapping]] = ..., allocation_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RenewLeaseRequest(_message.Message):
    __slots__ = ("name", "ttl")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    name: str
    ttl: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RenewLeaseResponse(_message.Message):
    __slots__ = ("lease",)
    LEASE_FIELD_NUMBER: _ClassVar[int]
    lease: Lease
    def __init__(self, lease: _Optional[_Union[Lease, _Mapping]] = ...) -> None: ...

class ReleaseLeaseRequest(_message.Message):
    __slots__ = ("name", "discard")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISCARD_FIELD_NUMBER: _ClassVar[int]
    name: str
    discard: bool
    def __init__(self, name: _Optional[str] = ..., discard: _Optional[bool] = ...) -> None: ...

class ReleaseLeaseResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPoolStatsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPoolStatsResponse(_message.Message):
    __slots__ = ("pools",)
    POOLS_FIELD_NUMBER: _ClassVar[int]
    pools: _containers.RepeatedCompositeFieldContainer[PoolStats]
    def __init__(self, pools: _Optional[_Iterable[_Union[PoolStats, _Mapping]]] = ...) -> None: ...

class WatchPoolsRequest(_message.Message):
    __slots__ = ("min_interval",)
    MIN_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    min_interval: _duration_pb2.Duration
    def __init__(self, min_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class WatchPoolsResponse(_message.Message):
    __slots__ = ("stats", "heartbeat")
    STATS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    stats: GetPoolStatsResponse
    heartbeat: _mesh_pb2.Heartbeat
    def __init__(self, stats: _Optional[_Union[GetPoolStatsResponse, _Mapping]] = ..., heartbeat: _Optional[_Union[_mesh_pb2.Heartbeat, _Mapping]] = ...) -> None: ...

class PoolStats(_message.Message):
    __slots__ = ("client_kind", "warm_target", "max_size", "warm_count", "leased_count", "opening_count", "waiting_count", "tier_counts", "breaker_state", "discarded_counts")
    class DiscardedCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    CLIENT_KIND_FIELD_NUMBER: _ClassVar[int]
    WARM_TARGET_FIELD_NUMBER: _ClassVar[int]
    MAX_SIZE_FIELD_NUMBER: _ClassVar[int]
    WARM_COUNT_FIELD_NUMBER: _ClassVar[int]
    LEASED_COUNT_FIELD_NUMBER: _ClassVar[int]
    OPENING_COUNT_FIELD_NUMBER: _ClassVar[int]
    WAITING_COUNT_FIELD_NUMBER: _ClassVar[int]
    TIER_COUNTS_FIELD_NUMBER: _ClassVar[int]
    BREAKER_STATE_FIELD_NUMBER: _ClassVar[int]
    DISCARDED_COUNTS_FIELD_NUMBER: _ClassVar[int]
    client_kind: ClientKind
    warm_target: int
    max_size: int
    warm_count: int
    leased_count: int
    opening_count: int
    waiting_count: int
    tier_counts: _containers.RepeatedCompositeFieldContainer[TierCount]
    breaker_state: BreakerState
    discarded_counts: _containers.ScalarMap[str, int]
    def __init__(self, client_kind: _Optional[_Union[ClientKind, str]] = ..., warm_target: _Optional[int] = ..., max_size: _Optional[int] = ..., warm_count: _Optional[int] = ..., leased_count: _Optional[int] = ..., opening_count: _Optional[int] = ..., waiting_count: _Optional[int] = ..., tier_counts: _Optional[_Iterable[_Union[TierCount, _Mapping]]] = ..., breaker_state: _Optional[_Union[BreakerState, str]] = ..., discarded_counts: _Optional[_Mapping[str, int]] = ...) -> None: ...

class TierCount(_message.Message):
    __slots__ = ("tier", "count")
    TIER_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    tier: AllocationTier
    count: int
    def __init__(self, tier: _Optional[_Union[AllocationTier, str]] = ..., count: _Optional[int] = ...) -> None: ...
