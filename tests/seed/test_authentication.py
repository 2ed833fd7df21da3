"""The samples of "Authentication" run as written, but for where they import from."""

from __future__ import annotations

import time
from typing import Any

import pytest
from starlette.websockets import WebSocket

from gateway.access import sign_ticket
from gateway.websocket_auth import AuthError, validate_acs_ws_auth

KEY = "k" * 40


@pytest.fixture(autouse=True)
def media_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEMESH_MEDIA_KEY", KEY)


def dialled(query: str, call: str = "call-1") -> tuple[WebSocket, list[dict[str, Any]]]:
    """A Starlette WebSocket as ASGI hands it to an app, and what the app sends."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/media",
        "query_string": query.encode(),
        "headers": [(b"x-ms-call-connection-id", call.encode())],
    }
    return WebSocket(scope, receive, send), sent


def ticket(session: str = "call-1", seconds: int = 60) -> str:
    return sign_ticket(KEY, session, "banking", int(time.time()) + seconds)


def test_azure_entra_id_integration() -> None:
    from azure.identity import DefaultAzureCredential

    # Keyless authentication for all Azure services
    credential = DefaultAzureCredential()

    credential.close()


async def test_websocket_authentication_lets_a_ticket_in() -> None:
    websocket, sent = dialled(f"ticket={ticket()}")
    try:
        await validate_acs_ws_auth(websocket, required_scope="media.stream")
    except AuthError:
        await websocket.close(code=4001, reason="Authentication required")
    assert sent == []


@pytest.mark.parametrize(
    "query",
    ["", "ticket=nonsense", f"ticket={ticket('call-2')}", f"ticket={ticket(seconds=-60)}"],
    ids=["none", "nonsense", "of another call", "expired"],
)
async def test_websocket_authentication_refuses(query: str) -> None:
    websocket, sent = dialled(query)
    try:
        await validate_acs_ws_auth(websocket, required_scope="media.stream")
    except AuthError:
        await websocket.close(code=4001, reason="Authentication required")
    assert sent == [{"type": "websocket.close", "code": 4001, "reason": "Authentication required"}]


async def test_a_scope_that_the_ticket_lacks() -> None:
    websocket, _ = dialled(f"ticket={ticket()}")
    with pytest.raises(AuthError, match=r"lacks the scope calls\.place"):
        await validate_acs_ws_auth(websocket, required_scope="calls.place")


async def test_without_a_key_nobody_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOICEMESH_MEDIA_KEY")
    websocket, _ = dialled(f"ticket={ticket()}")
    with pytest.raises(AuthError, match="no key"):
        await validate_acs_ws_auth(websocket)
