"""The ticket check of the media door, for a WebSocket of Starlette or FastAPI in an app of your own.

    try:
        await validate_acs_ws_auth(websocket, required_scope="media.stream")
    except AuthError:
        await websocket.close(code=4001, reason="Authentication required")

Accept the socket before: one that is closed unaccepted is answered with HTTP 403, not with 4001.
The gateway's own door (`listener`) checks the same tickets by the same `access.read_ticket`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from gateway.access import MEDIA_SCOPE, Ticket, TicketRefused, read_ticket
from gateway.settings import GatewaySettings
from meshkit.settings import load_settings

CONNECTION_HEADER = "x-ms-call-connection-id"
AuthError = TicketRefused
"""The socket may not go on. The message may be shown to whoever dialled."""


class Dialling(Protocol):
    """What is asked of a WebSocket; Starlette's has it."""

    @property
    def query_params(self) -> Mapping[str, str]:
        """The query of the URL."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the request, by lower-case name."""
        ...


async def validate_acs_ws_auth(
    websocket: Dialling, required_scope: str = MEDIA_SCOPE, *, key: str = ""
) -> Ticket:
    """The ticket of a socket that ACS dials, good for its call and this scope. Raises AuthError.

    The ticket is `ticket=` of the URL, the call the header `x-ms-call-connection-id`. `key` signed
    it; default: the setting VOICEMESH_MEDIA_KEY, without which nobody is let in.
    """
    key = key or load_settings(GatewaySettings).media_key
    if not key:
        raise AuthError("no key is set that tickets could be signed with")
    session = websocket.headers.get(CONNECTION_HEADER, "")
    return read_ticket(key, websocket.query_params.get("ticket", ""), session, required_scope)
