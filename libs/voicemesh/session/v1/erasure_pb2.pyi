from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ErasePersonRequest(_message.Message):
    __slots__ = ("client_id", "request_id", "requester", "reason")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    request_id: str
    requester: str
    reason: str
    def __init__(self, client_id: _Optional[str] = ..., request_id: _Optional[str] = ..., requester: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ErasePersonResponse(_message.Message):
    __slots__ = ("done", "erased_session_count")
    DONE_FIELD_NUMBER: _ClassVar[int]
    ERASED_SESSION_COUNT_FIELD_NUMBER: _ClassVar[int]
    done: bool
    erased_session_count: int
    def __init__(self, done: _Optional[bool] = ..., erased_session_count: _Optional[int] = ...) -> None: ...
