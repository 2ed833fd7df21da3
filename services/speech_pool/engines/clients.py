"""Pooled clients of the local engines, and the factory that keeps them for `warmpool`.

A client is light: the models behind it are shared. Opening one is therefore cheap, and giving one
back only has to end what its last session left open.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

from warmpool.factory import Reuse


class LocalClient(ABC):
    """What the recognisers and synthesisers of the local engines share."""

    def __init__(self) -> None:
        self._open = True

    @property
    def is_open(self) -> bool:
        """Whether it may still serve a stream."""
        return self._open

    def check_open(self) -> None:
        """Raise RuntimeError after `aclose`."""
        if not self._open:
            raise RuntimeError("this client is closed: allocate another")

    @abstractmethod
    async def reset(self) -> None:
        """End a stream that is still open and forget it."""

    async def aclose(self) -> None:
        """End everything. Idempotent."""
        self._open = False
        await self.reset()


T = TypeVar("T")


class LocalClientFactory(Generic[T]):
    """The life of a local client (`warmpool.factory.ClientFactory`). `T` is the port it serves."""

    reuse = Reuse.RESET

    def __init__(self, make: Callable[[], T]) -> None:
        """`make` raises ProviderUnavailable while the models are not loaded."""
        self._make = make

    async def open(self) -> T:
        """A fresh client."""
        return self._make()

    async def warm(self, client: T) -> bool:
        """Nothing to connect: the models were loaded and run once before the first `open`."""
        return self.is_fit(client)

    def is_fit(self, client: T) -> bool:
        """Whether `client` is one of ours and open."""
        return isinstance(client, LocalClient) and client.is_open

    async def check(self, client: T) -> bool:
        """The same: there is nobody to ask."""
        return self.is_fit(client)

    async def reset(self, client: T) -> bool:
        """End what the last session left open."""
        if not isinstance(client, LocalClient) or not client.is_open:
            return False
        await client.reset()
        return True

    async def close(self, client: T) -> None:
        """Let go of the client."""
        if isinstance(client, LocalClient):
            await client.aclose()
