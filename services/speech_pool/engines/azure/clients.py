"""The life of a pooled client of the Speech service, as `warmpool` drives it."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from speech_pool.engines.azure.service import ENDING_SECONDS, Link, SpeechResource
from speech_pool.engines.azure.signals import Signal, SignalQueue
from warmpool.factory import Reuse

_log = logging.getLogger(__name__)


class Session(Protocol):
    """What the clients have in common with `sdk`."""

    def connect(self) -> None:
        """Begin to open the socket."""
        ...

    def dispose(self) -> None:
        """Let go of threads and socket. Blocking."""
        ...


class AzureClient(ABC):
    """A session with its connection. Made on the running event loop."""

    threads: int
    """Native threads that it may come to have."""

    def __init__(self, resource: SpeechResource) -> None:
        self._resource = resource
        self._link = Link()
        self._signals = SignalQueue(self._take)
        self._is_open = True

    @property
    @abstractmethod
    def _session(self) -> Session: ...

    @abstractmethod
    def _hear(self, signal: Signal) -> None:
        """Act on a signal after the link has."""

    @abstractmethod
    async def warm(self) -> bool:
        """Connect and verify. Raises OpenThrottled and ProviderError."""

    @abstractmethod
    async def reset(self) -> bool:
        """Forget the last session."""

    @property
    def is_fit(self) -> bool:
        """Whether it may be handed out: connected, and nothing went wrong with it."""
        return self._is_open and self._link.is_up and self._link.trouble is None

    def check_open(self) -> None:
        """Raise RuntimeError after `aclose`."""
        if not self._is_open:
            raise RuntimeError("this client is closed: allocate another")

    async def aclose(self) -> None:
        """Close the socket and end the native threads. Idempotent."""
        if not self._is_open:
            return
        self._is_open = False
        self._signals.close()
        try:
            await self._resource.calls.run(self._dispose, ENDING_SECONDS)
        except TimeoutError:
            # Its threads stay reserved, so that what hangs cannot grow without bound.
            _log.warning(
                "the Speech SDK did not end a client in time", extra={"seconds": ENDING_SECONDS}
            )

    def _dispose(self) -> None:
        self._session.dispose()
        # Counted down when the threads have really ended, also if nobody waits for it any more.
        self._resource.threads.release(self.threads)

    def _take(self, signal: Signal) -> None:
        self._link.take(signal)
        self._hear(signal)


C = TypeVar("C")


class AzureClientFactory(Generic[C]):
    """A `warmpool.factory.ClientFactory`; `C` is the port that the client serves."""

    def __init__(
        self,
        make: Callable[[SpeechResource], C],
        resource: Callable[[], SpeechResource],
        *,
        threads: int,
        reuse: Reuse,
    ) -> None:
        """`resource` raises ProviderUnavailable before the provider is loaded; `threads` is what a
        client of this kind may come to have."""
        self.reuse = reuse
        self._make = make
        self._resource = resource
        self._threads = threads
        self._clients: set[AzureClient] = set()

    async def open(self) -> C:
        """A client that is not connected yet. Raises OpenThrottled at the bound on threads."""
        resource = self._resource()
        resource.threads.reserve(self._threads)
        try:
            client = self._make(resource)
        except BaseException:
            resource.threads.release(self._threads)
            raise
        self._clients.add(_azure(client))
        return client

    async def warm(self, client: C) -> bool:
        """Connect, so that the service has accepted key and client.

        Raises OpenThrottled where the service throttles, ProviderError for other failures.
        """
        return await _azure(client).warm()

    def is_fit(self, client: C) -> bool:
        """Whether the socket is open, by what the SDK last told: its events come without being asked."""
        return _azure(client).is_fit

    async def check(self, client: C) -> bool:
        """The same: the protocol has no question for an idle socket."""
        return self.is_fit(client)

    async def reset(self, client: C) -> bool:
        """Forget the last session; False: it cannot."""
        return await _azure(client).reset()

    async def close(self, client: C) -> None:
        """Close the socket and end the native threads."""
        self._clients.discard(_azure(client))
        await _azure(client).aclose()

    async def close_all(self) -> None:
        """Close what is left open; a session that outlives the process aborts it."""
        for client in list(self._clients):
            self._clients.discard(client)
            await client.aclose()


def _azure(client: object) -> AzureClient:
    if not isinstance(client, AzureClient):
        raise TypeError(f"not a client of the Azure adapter: {type(client).__name__}")
    return client
