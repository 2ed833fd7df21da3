"""Resource names of the mesh: building and taking apart, with one clear refusal for a bad one.

sessions/{session}                             sessions/{session}/leases/{lease}
sessions/{session}/{turn}/{round}/{ordinal}    a tool's request_id
agents/{agent}   scenarios/{scenario}   tools/{tool}
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from meshkit.errors import MeshError, Reason

_ID = r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}"
_SESSION = re.compile(rf"sessions/({_ID})")
_LEASE = re.compile(rf"sessions/({_ID})/leases/({_ID})")
_VERIFIED = re.compile(rf"sessions/({_ID})/verified")
_TOOL_RUN = re.compile(rf"sessions/({_ID})/(t\d+)/(\d+)/(\d+)")
_SEGMENT = re.compile(r"(t\d+)/s(\d+)")


class LeaseName(NamedTuple):
    """The parts of `sessions/{session}/leases/{lease}`."""

    session: str
    lease: str


class ToolRun(NamedTuple):
    """The parts of a tool's request_id."""

    session: str
    turn: str
    round: int
    ordinal: int


def session_name(session: str) -> str:
    """`sessions/{session}`."""
    return f"sessions/{session}"


def session_id(name: str, field: str = "session") -> str:
    """The id in `sessions/{session}`. Raises NAME_MALFORMED, naming `field`."""
    found = _SESSION.fullmatch(name)
    if found is None:
        raise _malformed(field, "sessions/{session}")
    return found[1]


def verified_session_id(name: str, field: str = "name") -> str:
    """The session's id in `sessions/{session}/verified`. Raises NAME_MALFORMED."""
    return _match(_VERIFIED, name, field, "sessions/{session}/verified").group(1)


def lease_name(session: str, lease: str) -> str:
    """`sessions/{session}/leases/{lease}`."""
    return f"sessions/{session}/leases/{lease}"


def parse_lease(name: str, field: str = "name") -> LeaseName:
    """The parts of a lease's name. Raises NAME_MALFORMED."""
    return LeaseName(*_match(_LEASE, name, field, "sessions/{session}/leases/{lease}").groups())


def tool_request_id(session: str, turn: str, round_: int, ordinal: int) -> str:
    """The derived id of a tool run: the same on every retry and every pod."""
    return f"sessions/{session}/{turn}/{round_}/{ordinal}"


def parse_tool_request_id(request_id: str, field: str = "request_id") -> ToolRun:
    """The parts of a tool's request_id. Raises NAME_MALFORMED."""
    form = "sessions/{session}/t{n}/{round}/{ordinal}"
    session, turn, round_, ordinal = _match(_TOOL_RUN, request_id, field, form).groups()
    return ToolRun(session, turn, int(round_), int(ordinal))


def segment_turn(segment: str, field: str = "segment") -> str:
    """The turn `t{n}` of a segment `t{n}/s{k}`. Raises NAME_MALFORMED."""
    return _match(_SEGMENT, segment, field, "t{n}/s{k}").group(1)


def resource_id(collection: str, name: str, field: str) -> str:
    """The id in `{collection}/{id}`, such as `agents/concierge`. Raises NAME_MALFORMED."""
    return _match(_resource(collection), name, field, f"{collection}/{{id}}").group(1)


@functools.lru_cache(maxsize=32)
def _resource(collection: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(collection)}/({_ID})")


def _match(pattern: re.Pattern[str], name: str, field: str, form: str) -> re.Match[str]:
    found = pattern.fullmatch(name)
    if found is None:
        raise _malformed(field, form)
    return found


def _malformed(field: str, form: str) -> MeshError:
    problem = f"must have the form {form}, at most 128 of A-Z a-z 0-9 . _ ~ - in a part"
    return MeshError(Reason.NAME_MALFORMED, f"{field}: {problem}", fields={field: problem})
