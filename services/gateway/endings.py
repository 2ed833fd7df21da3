"""How a call ends: the reason its watchers are told, and the close code of its socket."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.media import CloseCode
from gateway.ownership import AnothersSession
from meshkit.errors import MeshError, PeerUnreachable, Reason


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a call ended."""

    reason: str
    """For events, the journal and the orchestrator; README.md lists them."""
    code: CloseCode
    message: str = ""
    """For the close frame."""

    @property
    def keeps_call(self) -> bool:
        """Whether another socket or pod goes on with the call: its record is not ours to end."""
        return self.code is CloseCode.TAKEN_OVER


CALLER_HUNG_UP = Ending("caller_hung_up", CloseCode.DONE)
TAKEN_OVER = Ending("taken_over", CloseCode.TAKEN_OVER, "another socket has taken the call over")
MAX_LENGTH = Ending("max_length", CloseCode.DONE, "the call has reached its time limit")
DRAINING = Ending("draining", CloseCode.GOING_AWAY, "this gateway is shutting down; dial again")
INTERNAL = Ending("internal_error", CloseCode.INTERNAL, "an internal error was logged")
NO_CAPACITY_SPOKEN = Ending("no_capacity", CloseCode.DONE, "all speech clients are in use")
NO_CAPACITY = Ending("no_capacity", CloseCode.TRY_AGAIN_LATER, "all speech clients are in use")
SERVICE_LOST = Ending("service_lost", CloseCode.INTERNAL, "a service of the mesh was lost")
SERVICE_REFUSED = Ending("service_refused", CloseCode.INTERNAL, "a service of the mesh refused")
NOT_ALLOWED = Ending("not_allowed", CloseCode.AUTHENTICATION, "the session is another tenant's")
SESSION_ENDED = Ending("session_ended", CloseCode.MALFORMED, "the session is over; dial a new call")

_NO_ROOM = (Reason.POOL_EXHAUSTED, Reason.QUOTA_EXHAUSTED)
_GONE = (Reason.POD_DRAINING, Reason.PROVIDER_UNAVAILABLE, Reason.STORE_UNAVAILABLE)


class CallEnding(Exception):
    """Raised inside a call's task group to end it."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.reason)
        self.ending = ending


@dataclass(frozen=True, slots=True)
class Failure:
    """A service failed the call."""

    service: str
    error: MeshError

    @property
    def full(self) -> bool:
        """Whether the service is well and has no room."""
        return self.error.is_reason(*_NO_ROOM)

    @property
    def reason(self) -> str:
        """For the `error` event: the mesh's reason, or that the peer gave no answer."""
        if isinstance(self.error, PeerUnreachable):
            return "PEER_UNREACHABLE"
        return self.error.reason

    @property
    def message(self) -> str:
        """One sentence for people: which service and why."""
        return f"{self.service}: {self.error.message}"

    def ending(self, spoken: bool) -> Ending:
        """How the call ends for it; `spoken`: the caller was told."""
        if self.error.is_reason(Reason.CALL_OWNER_SUPERSEDED):
            return TAKEN_OVER
        if isinstance(self.error, AnothersSession):
            return NOT_ALLOWED
        if self.error.is_reason(Reason.SESSION_ENDED):
            return SESSION_ENDED
        if self.full:
            return NO_CAPACITY_SPOKEN if spoken else NO_CAPACITY
        gone = isinstance(self.error, PeerUnreachable) or self.error.is_reason(*_GONE)
        return SERVICE_LOST if gone else SERVICE_REFUSED
