"""What the pool needs to know about the clients it keeps: how to open, verify, reuse and close one.

A factory is the only place that touches a client; the pool itself never looks inside.
"""

from __future__ import annotations

import enum
from typing import Protocol, TypeVar

T = TypeVar("T")
C = TypeVar("C", contravariant=True)


class Reuse(enum.Enum):
    """What becomes of a client that its holder gives back."""

    RESET = "reset"
    """`reset` makes it as new, and it returns to the stock."""
    RETIRE = "retire"
    """It is closed and the stock is filled with a fresh one; used clients carry old state."""


class ClientFactory(Protocol[T]):
    """The life of one client. Every method may be cancelled and may raise; a client whose
    method raised is closed and never handed out."""

    reuse: Reuse

    async def open(self) -> T:
        """Construct a client. Raises whatever the provider raises; the pool counts it and backs off."""
        ...

    async def warm(self, client: T) -> bool:
        """Connect and verify, so that the first use costs nothing. False: close it, it is no good."""
        ...

    async def check(self, client: T) -> bool:
        """Is an idle client still fit for use? Must not cost a network round trip on the warm path."""
        ...

    async def reset(self, client: T) -> bool:
        """Forget the last session. False: close it. Only called where `reuse` is RESET."""
        ...

    async def close(self, client: T) -> None:
        """Let go of everything the client holds. Must not raise for a client that is already closed."""
        ...


class TellsFitness(Protocol[C]):
    """What a factory may offer besides, for clients that know at once whether they are fit: by a flag
    that their connection's own events keep, such as its end. A coroutine and what is around it cost more
    than the rest of an allocation."""

    def is_fit(self, client: C) -> bool:
        """Asked on the way to the caller in the place of `check`, which then runs in the background and
        for clients that come back unused. Must look only; a client for which it raises is closed."""
        ...


class TellsUse(Protocol[C]):
    """What a factory may offer besides, for clients whose holders open no streams."""

    def in_use(self, client: C) -> bool:
        """Is somebody using it right now? Then its lease goes on beyond its expiry. Must be quick
        and must not raise."""
        ...
