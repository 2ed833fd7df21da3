"""Requests to a session-store as tests write them, about one session unless they say otherwise."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import grpc
import pytest

from meshkit.errors import MeshError, from_rpc_error
from tests.support.store import RunningStore
from voicemesh.session.v1 import journal_event_pb2 as ev
from voicemesh.session.v1 import journal_pb2 as jr
from voicemesh.session.v1 import ownership_pb2 as ow
from voicemesh.session.v1 import session_store_pb2 as ss

S = "sessions/a"
GATEWAY_A, GATEWAY_B = "10.0.0.1:50055", "10.0.0.2:50055"


async def refused(call: Awaitable[Any]) -> MeshError:
    """The error that a call must end with."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    error = from_rpc_error(failure.value)
    assert error.domain == "session-store.voicemesh"
    return error


async def reason_of(call: Awaitable[Any]) -> str:
    """The reason that a call was refused for; empty if it was not."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error).reason
    return ""


async def create(store: RunningStore, session_id: str = "a", **fields: Any) -> ss.Session:
    request = ss.CreateSessionRequest(
        session_id=session_id, session=ss.Session(**fields), request_id=f"make-{session_id}"
    )
    session: ss.Session = (await store.sessions.CreateSession(request)).session
    return session


async def get(store: RunningStore, name: str = S) -> ss.Session:
    response: ss.GetSessionResponse = await store.sessions.GetSession(
        ss.GetSessionRequest(name=name)
    )
    return response.session


def update(store: RunningStore, *paths: str, epoch: int = 0, etag: str = "", **fields: Any) -> Any:
    request = ss.UpdateSessionRequest(
        session=ss.Session(name=S, etag=etag, **fields), owner_epoch=epoch
    )
    request.update_mask.paths.extend(paths)
    return store.sessions.UpdateSession(request)


def said(number: int, text: str = "hello") -> ev.JournalEvent:
    heard = ev.UtteranceAccepted(utterance=f"u{number}", transcript=text)
    return ev.JournalEvent(event_id=f"u{number}", utterance=heard)


def ended() -> ev.JournalEvent:
    return ev.JournalEvent(event_id="ended", ended=ev.SessionEnded(reason="completed"))


def append(store: RunningStore, *events: ev.JournalEvent, epoch: int = 0, session: str = S) -> Any:
    request = jr.AppendEventsRequest(session=session, events=events, owner_epoch=epoch)
    return store.journal.AppendEvents(request)


async def journal(store: RunningStore, **fields: Any) -> jr.ListEventsResponse:
    request = jr.ListEventsRequest(parent=S, **fields)
    response: jr.ListEventsResponse = await store.journal.ListEvents(request)
    return response


def acquire(store: RunningStore, address: str, request_id: str, **fields: Any) -> Any:
    request = ow.AcquireCallRequest(session=S, address=address, request_id=request_id, **fields)
    return store.ownership.AcquireCall(request)


def renew(store: RunningStore, epoch: int) -> Any:
    return store.ownership.RenewCall(ow.RenewCallRequest(session=S, owner_epoch=epoch))


def release(store: RunningStore, epoch: int) -> Any:
    return store.ownership.ReleaseCall(ow.ReleaseCallRequest(session=S, owner_epoch=epoch))


def set_verified(
    store: RunningStore, client_id: str, *levels: str, etag: str = "", session: str = S
) -> Any:
    proofs = [ev.Proof(level=level, method="m", request_id=f"{S}/t1/0/0") for level in levels]
    record = ev.VerifiedRecord(
        name=f"{session}/verified", client_id=client_id, proofs=proofs, etag=etag
    )
    return store.sessions.SetVerified(ss.SetVerifiedRequest(verified=record))


async def get_verified(store: RunningStore) -> ev.VerifiedRecord:
    request = ss.GetVerifiedRequest(name=f"{S}/verified")
    response: ss.GetVerifiedResponse = await store.sessions.GetVerified(request)
    return response.verified


async def channels(store: RunningStore) -> list[bytes]:
    """Channels of the session that somebody listens to."""
    found = await store.everywhere("PUBSUB", "CHANNELS", "*{a}*")
    return [channel for channels in found for channel in channels]
