"""The media WebSocket on picows: bytes of a socket to calls of a `Call`, in callbacks only.

A socket that may not come in is accepted and then closed with a code, because a refusal before the
upgrade reaches the dialler as HTTP 403 and says nothing. README.md lists the codes.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from gateway import endings
from gateway.access import TicketRefused, is_loopback, read_ticket, require_loopback
from gateway.call import Call
from gateway.calls import Calls
from gateway.media import (
    STOP_AUDIO,
    Audio,
    CloseCode,
    Dtmf,
    MediaProtocol,
    MediaRefused,
    Message,
    Metadata,
    encode_audio,
)
from gateway.settings import GatewaySettings
from meshkit.errors import MeshError
from meshkit.logging import get_logger
from meshkit.names import session_id, session_name
from meshkit.startup import StartupError

logger = get_logger("gateway.media")

PATH = "/api/v1/media/stream"
CONNECTION_HEADER = "x-ms-call-connection-id"
MAX_MESSAGE_BYTES = 64 * 1024
MAX_FRAME_BYTES = 1 << 20
"""A frame beyond this is not even read: picows closes the socket itself, with 1009 as well."""
CLOSE_SECONDS = 1.0
"""How long the other side has to answer a close before the connection is dropped."""
STALLED_SECONDS = 5.0
"""How long the other side may not read before the connection is dropped."""


@dataclass(frozen=True, slots=True)
class Dialled:
    """What the upgrade request asks for."""

    session: str
    scenario: str
    tenant: str = ""
    refusal: str = ""
    """Why it may not come in; empty: it may."""
    traceparent: str = ""
    """The dialler's span: the call links to it, and its trace is its own, as with any stranger's."""


def dialled(request: WSUpgradeRequest, settings: GatewaySettings) -> Dialled:
    """Read and check an upgrade request."""
    query = parse_qs(urlsplit(request.path.decode("latin-1")).query)
    asked = query.get("scenario", [""])[0]
    session = _session(request.headers.get(CONNECTION_HEADER, ""))
    scenario, tenant = asked or settings.default_scenario, settings.tenant
    if not settings.media_key and _elsewhere(request.headers.get("origin", "")):
        return Dialled(session, scenario, refusal="pages of other hosts need a ticket")
    if settings.media_key:
        try:
            ticket = read_ticket(settings.media_key, query.get("ticket", [""])[0], session)
        except TicketRefused as refused:
            return Dialled(session, scenario, refusal=str(refused))
        if asked and asked != ticket.scenario:
            return Dialled(session, scenario, refusal="the ticket is for another scenario")
        scenario, tenant = ticket.scenario, ticket.tenant or tenant
    return Dialled(session, scenario, tenant, traceparent=request.headers.get("traceparent", ""))


def _session(connection_id: str) -> str:
    """The call connection id if it can name a session, else a name made from it."""
    if not connection_id:
        return uuid.uuid4().hex
    try:
        return session_id(session_name(connection_id))
    except MeshError:
        return hashlib.sha256(connection_id.encode()).hexdigest()[:32]


def _elsewhere(origin: str) -> bool:
    """Whether a browser page dials that this machine does not serve; ACS sends no Origin."""
    return bool(origin) and not is_loopback(urlsplit(origin).hostname or "")


class MediaListener(WSListener):
    """One socket. It is the `MediaSocket` of its call."""

    def __init__(self, wanted: Dialled, calls: Calls, settings: GatewaySettings) -> None:
        self._wanted = wanted
        self._calls = calls
        self._settings = settings
        self._protocol = MediaProtocol(settings.max_malformed)
        self._loop = asyncio.get_running_loop()
        self._transport: WSTransport | None = None
        self._call: Call | None = None
        self._closed = False
        self._partial = bytearray()
        self._timers: list[asyncio.TimerHandle] = []
        self._stalled: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------------ from picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade is done: let the socket in or close it."""
        self._transport = transport
        if self._wanted.refusal:
            self.close(CloseCode.AUTHENTICATION, self._wanted.refusal)
        elif self._calls.draining:
            self.close(CloseCode.GOING_AWAY, endings.DRAINING.message)
        elif self._calls.full:
            self.close(CloseCode.TRY_AGAIN_LATER, "this gateway takes no more calls; dial again")
        else:
            self._later(self._settings.metadata_seconds, self._no_metadata)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame came."""
        kind = frame.msg_type
        if kind == WSMsgType.TEXT and frame.fin:
            self._text(frame.get_payload_as_memoryview())
        elif kind == WSMsgType.CLOSE:
            self._closed_by_peer()
        elif kind == WSMsgType.BINARY:
            problem = "binary frames are not understood; send text frames"
            self._refuse(MediaRefused(CloseCode.MALFORMED, problem))
        elif kind in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
            self._fragment(frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is gone, however it went."""
        self._closed = True
        self._transport = None
        for timer in self._timers:
            timer.cancel()
        self.resume_writing()
        if self._call is not None:
            self._call.end(endings.CALLER_HUNG_UP)

    def pause_writing(self) -> None:
        """The other side does not read."""
        if self._stalled is None:
            self._stalled = self._loop.call_later(STALLED_SECONDS, self._drop)

    def resume_writing(self) -> None:
        """The other side reads again."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    # ------------------------------------------------------------------ from the call

    def send_audio(self, pcm: bytes) -> None:
        """One frame of agent audio."""
        self._send(encode_audio(pcm))

    def stop_audio(self) -> None:
        """Throw away what was sent and not played."""
        self._send(STOP_AUDIO)

    def close(self, code: int, reason: str) -> None:
        """Send a close, and drop the connection if it is not answered. Idempotent."""
        if self._closed or self._transport is None:
            return
        self._closed = True
        logger.info("media closed", extra={"code": int(code), "cause": reason})
        self._transport.send_close(cast(WSCloseCode, int(code)), reason.encode()[:120])
        self._later(CLOSE_SECONDS, self._drop)

    # ------------------------------------------------------------------ parts

    def _text(self, text: bytes | memoryview) -> None:
        if self._closed:
            return
        if len(text) > MAX_MESSAGE_BYTES:
            self._refuse(MediaRefused(CloseCode.TOO_LARGE, "the message is too large"))
            return
        try:
            message = self._protocol.feed(text)
        except MediaRefused as refused:
            self._refuse(refused)
            return
        if message is not None:
            self._take(message)

    def _take(self, message: Message) -> None:
        if isinstance(message, Metadata):
            self._begin()
        elif self._call is None:
            return
        elif isinstance(message, Audio):
            self._call.hear(message.pcm)
        elif isinstance(message, Dtmf):
            self._call.press(message.tone)

    def _begin(self) -> None:
        wanted = self._wanted
        if self._calls.is_of_another(wanted.session, wanted.tenant):
            self.close(CloseCode.AUTHENTICATION, "the call is another tenant's")
            return
        self._call = self._calls.start(
            wanted.session, wanted.scenario, self, wanted.tenant, wanted.traceparent
        )

    def _fragment(self, frame: WSFrame) -> None:
        """A message in parts: gathered up to the same bound as a whole one."""
        self._partial += frame.get_payload_as_memoryview()
        if len(self._partial) > MAX_MESSAGE_BYTES:
            self._refuse(MediaRefused(CloseCode.TOO_LARGE, "the message is too large"))
        elif frame.fin:
            text, self._partial = bytes(self._partial), bytearray()
            self._text(text)

    def _refuse(self, refused: MediaRefused) -> None:
        if self._call is None:
            self.close(refused.code, refused.reason)
        else:
            self._call.end(endings.Ending("media_refused", refused.code, refused.reason))

    def _no_metadata(self) -> None:
        if self._protocol.metadata is None:
            self.close(CloseCode.NO_METADATA, "no AudioMetadata came in time")

    def _closed_by_peer(self) -> None:
        if self._transport is None:
            return
        if not self._closed:
            self._closed = True
            self._transport.send_close(WSCloseCode.OK)
        self._transport.disconnect()

    def _send(self, message: bytes) -> None:
        if not self._closed and self._transport is not None:
            self._transport.send(WSMsgType.TEXT, message)

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.disconnect(False)

    def _later(self, seconds: float, what: Any) -> None:
        self._timers.append(self._loop.call_later(seconds, what))


class MediaServer:
    """The listening socket of the media WebSocket, as an async context manager."""

    def __init__(self, calls: Calls, settings: GatewaySettings) -> None:
        if not settings.media_key:
            require_loopback(settings.bind_host, "VOICEMESH_MEDIA_KEY", "media WebSocket")
        self._calls = calls
        self._settings = settings
        self.port = settings.media_port

    async def __aenter__(self) -> MediaServer:
        host = self._settings.bind_host
        try:
            self._server = await ws_create_server(
                self._accept,
                host,
                self.port,
                max_frame_size=MAX_FRAME_BYTES,
                logger_name=get_logger("gateway.picows"),
            )
        except OSError as error:
            raise StartupError(
                f"the media WebSocket cannot listen on {host}:{self.port} ({error.strerror}): stop"
                " what holds the port, or set VOICEMESH_MEDIA_PORT to another (0 picks a free one)."
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    def _accept(self, request: WSUpgradeRequest) -> Any:
        if urlsplit(request.path.decode("latin-1")).path != PATH:
            body = f"The media WebSocket is at {PATH}.\n".encode()
            response = WSUpgradeResponse.create_error_response(404, body)
            return WSUpgradeResponseWithListener(response, None)
        return MediaListener(dialled(request, self._settings), self._calls, self._settings)
