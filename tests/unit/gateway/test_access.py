"""Tickets, the control key, and what may be bound without them."""

from __future__ import annotations

import time

import jwt
import pytest

from gateway.access import (
    TicketRefused,
    bearer_matches,
    read_ticket,
    require_loopback,
    sign_ticket,
)
from gateway.settings import GatewaySettings
from meshkit.settings import SettingsError, load_settings
from meshkit.startup import StartupError

KEY = "k" * 32
SOON = int(time.time()) + 600


def test_a_ticket_lets_its_session_in_again_and_again() -> None:
    text = sign_ticket(KEY, "call-1", "banking", SOON)
    for _ in range(2):
        assert read_ticket(KEY, text, "call-1").scenario == "banking"


def test_a_ticket_for_any_session_lets_every_session_in() -> None:
    assert read_ticket(KEY, sign_ticket(KEY, "*", "banking", SOON), "other").session == "*"


def test_a_ticket_may_name_the_tenant() -> None:
    text = sign_ticket(KEY, "call-1", "banking", SOON, tenant="north")
    assert read_ticket(KEY, text, "call-1").tenant == "north"
    assert read_ticket(KEY, sign_ticket(KEY, "call-1", "banking", SOON), "call-1").tenant == ""


def claims(**changes: object) -> dict[str, object]:
    known: dict[str, object] = {
        "session": "call-1",
        "scenario": "banking",
        "scope": "media.stream",
        "exp": SOON,
        **changes,
    }
    return {name: value for name, value in known.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"exp": 1}, "expired"),
        ({"exp": None}, "not valid"),
        ({"scope": "calls.read"}, "scope media.stream"),
        ({"scope": "media.streams"}, "scope media.stream"),
        ({"scope": None}, "not valid"),
        ({"session": "call-2"}, "another session"),
        ({"session": None}, "not valid"),
        ({"scenario": None}, "not valid"),
        ({"tenant": "two words"}, "tenant is not a name"),
    ],
)
def test_a_ticket_that_says_something_else_is_refused(
    changes: dict[str, object], told: str
) -> None:
    text = jwt.encode(claims(**changes), KEY, algorithm="HS256")
    with pytest.raises(TicketRefused, match=told):
        read_ticket(KEY, text, "call-1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        jwt.encode(claims(), "x" * 32, algorithm="HS256"),
        jwt.encode(claims(), "", algorithm="none"),
        jwt.encode(claims(), "x" * 64, algorithm="HS512"),
    ],
    ids=["none", "nonsense", "other key", "unsigned", "other algorithm"],
)
def test_a_ticket_that_we_did_not_sign_is_refused(text: str) -> None:
    with pytest.raises(TicketRefused):
        read_ticket(KEY, text, "call-1")


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        (f"Bearer {KEY}", True),
        (f"bearer {KEY}", True),
        (f"Basic {KEY}", False),
        (f"Bearer {KEY}x", False),
        ("Bearer ", False),
        ("Bearer ü", False),
        ("", False),
    ],
)
def test_the_control_key_is_a_bearer_token(header: str, matches: bool) -> None:
    assert bearer_matches(header, KEY) is matches


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_loopback_may_be_bound_without_a_key(host: str) -> None:
    require_loopback(host, "VOICEMESH_MEDIA_KEY", "media WebSocket")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "example.com", ""])
def test_nothing_else_may_and_the_sentence_says_what_to_do(host: str) -> None:
    with pytest.raises(StartupError, match="set VOICEMESH_MEDIA_KEY"):
        require_loopback(host, "VOICEMESH_MEDIA_KEY", "media WebSocket")


def test_a_short_key_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEMESH_MEDIA_KEY", "hunter2")
    with pytest.raises(SettingsError, match=r"VOICEMESH_MEDIA_KEY.*32 characters") as refused:
        load_settings(GatewaySettings)
    assert "hunter2" not in str(refused.value)
