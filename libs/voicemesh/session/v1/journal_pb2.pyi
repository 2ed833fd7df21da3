from voicemesh.mesh.v1 import mesh_pb2 as _mesh_pb2
from voicemesh.session.v1 import journal_event_pb2 as _journal_event_pb2
from voicemesh.session.v1 import session_store_pb2 as _session_store_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AppendEventsRequest(_message.Message):
    __slots__ = ("session", "events", "owner_epoch", "return_session")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    OWNER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    RETURN_SESSION_FIELD_NUMBER: _ClassVar[int]
    session: str
    events: _containers.RepeatedCompositeFieldContainer[_journal_event_pb2.JournalEvent]
    owner_epoch: int
    return_session: bool
    def __init__(self, session: _Optional[str] = ..., events: _Optional[_Iterable[_Union[_journal_event_pb2.JournalEvent, _Mapping]]] = ..., owner_epoch: _Optional[int] = ..., return_session: _Optional[bool] = ...) -> None: ...

class AppendEventsResponse(_message.Message):
    __slots__ = ("last_sequence", "existing_events", "session")
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EXISTING_EVENTS_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    last_sequence: int
    existing_events: _containers.RepeatedCompositeFieldContainer[_journal_event_pb2.JournalEvent]
    session: _session_store_pb2.Session
    def __init__(self, last_sequence: _Optional[int] = ..., existing_events: _Optional[_Iterable[_Union[_journal_event_pb2.JournalEvent, _Mapping]]] = ..., session: _Optional[_Union[_session_store_pb2.Session, _Mapping]] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token", "after_sequence")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    after_sequence: int
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., after_sequence: _Optional[int] = ...) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_journal_event_pb2.JournalEvent]
    next_page_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[_journal_event_pb2.JournalEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchEventsRequest(_message.Message):
    __slots__ = ("parent", "after_sequence")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    parent: str
    after_sequence: int
    def __init__(self, parent: _Optional[str] = ..., after_sequence: _Optional[int] = ...) -> None: ...

class WatchEventsResponse(_message.Message):
    __slots__ = ("journal_event", "heartbeat")
    JOURNAL_EVENT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    journal_event: _journal_event_pb2.JournalEvent
    heartbeat: _mesh_pb2.Heartbeat
    def __init__(self, journal_event: _Optional[_Union[_journal_event_pb2.JournalEvent, _Mapping]] = ..., heartbeat: _Optional[_Union[_mesh_pb2.Heartbeat, _Mapping]] = ...) -> None: ...

class ListMessagesRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMessagesResponse(_message.Message):
    __slots__ = ("messages", "next_page_token")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[_journal_event_pb2.Message]
    next_page_token: str
    def __init__(self, messages: _Optional[_Iterable[_Union[_journal_event_pb2.Message, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
