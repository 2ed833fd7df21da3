"""What the clients of one Speech resource share: settings, and the bound on threads."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from speech_pool.engines.azure.calls import BlockingCalls
from speech_pool.engines.azure.failures import Refused, while_opening
from speech_pool.engines.azure.settings import AzureSettings
from speech_pool.engines.azure.signals import Connected, Disconnected, Failed, Signal, Trouble
from speech_pool.ports import ProviderError
from warmpool.errors import OpenThrottled

RECOGNIZER_THREADS = 3
SYNTHESIZER_THREADS = 5
"""Native threads of a client that was used (SDK 1.53.0; `python -m tests.load azure_clients`)."""
ENDING_SECONDS = 15.0
"""Bound on disposing of a client; with a silent service the SDK takes 10 s."""

_log = logging.getLogger(__name__)


class SdkThreads:
    """Counts the native threads that clients may come to have."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.reserved = 0

    def reserve(self, count: int) -> None:
        """Take `count`. Raises OpenThrottled where that would be too many."""
        if self.reserved + count > self.most:
            raise OpenThrottled(
                f"{self.reserved} of {self.most} SDK threads are taken: raise"
                " VOICEMESH_AZURE_SPEECH_MAX_THREADS or run more pods"
            )
        self.reserved += count

    def release(self, count: int) -> None:
        """Give `count` back."""
        self.reserved -= count


class SpeechResource:
    """A Speech resource as its clients see it."""

    def __init__(self, settings: AzureSettings, config: Any) -> None:
        """`config`: what `sdk.make_config` gave."""
        self.settings = settings
        self.config = config
        self.threads = SdkThreads(settings.max_threads)
        self.calls = BlockingCalls()
        self._refused = False

    def note_opened(self) -> None:
        """A client was accepted."""
        self._refused = False

    def opening_error(self, trouble: Trouble) -> Exception:
        """What `open` or `warm` is to raise. A refused key is logged once, not at each retry."""
        error = while_opening(trouble, self.settings.throttle_seconds)
        if isinstance(error, Refused) and not self._refused:
            self._refused = True
            _log.error("the speech service refused us", extra={"cause": str(error)})
        return error


class Link:
    """Whether a client's socket is open, as far as its signals tell."""

    def __init__(self) -> None:
        self.is_up = False
        self.trouble: Trouble | None = None
        self._changed = asyncio.Event()

    def take(self, signal: Signal) -> None:
        """Follow the signals of the client."""
        match signal:
            case Connected():
                self.is_up = True
            case Disconnected():
                self.is_up = False
            case Failed(trouble):
                self.trouble = trouble
        self._changed.set()

    async def until_up(self, seconds: float) -> bool:
        """Wait until the socket is open or failed; False where neither came in time."""
        try:
            async with asyncio.timeout(seconds):
                while not self.is_up and self.trouble is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True


def lost(what: str, seconds: float) -> ProviderError:
    """The error for an answer that did not come in time."""
    return ProviderError(f"the Speech service did not {what} within {seconds:g} s")
