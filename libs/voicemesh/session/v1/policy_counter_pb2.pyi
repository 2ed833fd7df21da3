from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PolicyCounter(_message.Message):
    __slots__ = ("counter", "window", "amount", "most")
    class Window(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        WINDOW_UNSPECIFIED: _ClassVar[PolicyCounter.Window]
        WINDOW_CALL: _ClassVar[PolicyCounter.Window]
        WINDOW_DAY: _ClassVar[PolicyCounter.Window]
    WINDOW_UNSPECIFIED: PolicyCounter.Window
    WINDOW_CALL: PolicyCounter.Window
    WINDOW_DAY: PolicyCounter.Window
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    counter: str
    window: PolicyCounter.Window
    amount: int
    most: int
    def __init__(self, counter: _Optional[str] = ..., window: _Optional[_Union[PolicyCounter.Window, str]] = ..., amount: _Optional[int] = ..., most: _Optional[int] = ...) -> None: ...

class ReservePolicyCountersRequest(_message.Message):
    __slots__ = ("request_id", "subject", "counters")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    subject: str
    counters: _containers.RepeatedCompositeFieldContainer[PolicyCounter]
    def __init__(self, request_id: _Optional[str] = ..., subject: _Optional[str] = ..., counters: _Optional[_Iterable[_Union[PolicyCounter, _Mapping]]] = ...) -> None: ...

class ReservePolicyCountersResponse(_message.Message):
    __slots__ = ("granted", "refused_counter", "refused_window", "counted")
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_COUNTER_FIELD_NUMBER: _ClassVar[int]
    REFUSED_WINDOW_FIELD_NUMBER: _ClassVar[int]
    COUNTED_FIELD_NUMBER: _ClassVar[int]
    granted: bool
    refused_counter: str
    refused_window: PolicyCounter.Window
    counted: int
    def __init__(self, granted: _Optional[bool] = ..., refused_counter: _Optional[str] = ..., refused_window: _Optional[_Union[PolicyCounter.Window, str]] = ..., counted: _Optional[int] = ...) -> None: ...

class GiveBackPolicyCountersRequest(_message.Message):
    __slots__ = ("request_id", "subject")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    subject: str
    def __init__(self, request_id: _Optional[str] = ..., subject: _Optional[str] = ...) -> None: ...

class GiveBackPolicyCountersResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
