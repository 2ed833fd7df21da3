"""Resource names come apart as they were put together, and bad ones are refused by field."""

from __future__ import annotations

import pytest

from meshkit import names
from meshkit.errors import MeshError


def test_names_come_apart_as_they_were_put_together() -> None:
    assert names.session_id(names.session_name("a-1")) == "a-1"
    assert names.parse_lease(names.lease_name("a", "x.7")) == ("a", "x.7")
    assert names.parse_tool_request_id(names.tool_request_id("a", "t3", 0, 1)) == ("a", "t3", 0, 1)
    assert names.verified_session_id("sessions/a/verified") == "a"
    assert names.resource_id("agents", "agents/concierge", "agent") == "concierge"
    assert names.segment_turn("t12/s3") == "t12"


BAD_SESSIONS = [
    "",
    "sessions/",
    "session/a",
    "sessions/a/b",
    "sessions/a b",
    "sessions/-a",
    "sessions/ä",
    "sessions/a\n",
    "sessions/" + "a" * 129,
]


@pytest.mark.parametrize("name", BAD_SESSIONS)
def test_a_bad_session_name_is_refused(name: str) -> None:
    with pytest.raises(MeshError) as caught:
        names.session_id(name, "request.session")
    assert caught.value.reason == "NAME_MALFORMED"
    assert "sessions/{session}" in caught.value.fields["request.session"]


@pytest.mark.parametrize("request_id", ["sessions/a/x3/0/1", "sessions/a/t3/0", "a/t3/0/1"])
def test_a_bad_tool_request_id_is_refused(request_id: str) -> None:
    with pytest.raises(MeshError, match="request_id"):
        names.parse_tool_request_id(request_id)
