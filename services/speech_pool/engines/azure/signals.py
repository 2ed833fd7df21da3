"""What the SDK's threads tell, and the one place where it crosses into the event loop.

Native threads call `post`; the loop is woken once for all that has gathered. What gathers is
bounded: a loop that does not keep up loses the client, not the memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MAX_WAITING_BYTES = 32 * 1024 * 1024
"""Audio and text that may wait for the loop: 10 minutes of speech, the longest the service makes
in one request (Microsoft's speech service quotas), at 24 kHz."""
SIGNAL_BYTES = 200
"""What a signal counts for besides its content."""


class Trouble(enum.Enum):
    """Why the service or the way to it failed."""

    REFUSED = "refused"
    """The key or token is not accepted."""
    THROTTLED = "throttled"
    """Too many requests, or too many at once."""
    UNKNOWN_VOICE = "unknown voice"
    LOST = "lost"
    """The connection could not be made, or broke."""
    FAILED = "failed"
    """Anything else that the service answered."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The socket is open and accepted."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The socket is closed."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The recogniser, or the utterance of this id, ends with an error."""

    trouble: Trouble
    id: str = ""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Somebody speaks from `tick` on. Ticks are 100 ns of the audio that was sent."""

    tick: int


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Words that may still change."""

    text: str
    tick: int
    ticks: int
    language: str = ""


@dataclass(frozen=True, slots=True)
class Phrase:
    """The words of an utterance; none where nothing was understood."""

    text: str
    tick: int
    ticks: int
    language: str = ""
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The recogniser has answered all it was sent, and stopped."""


@dataclass(frozen=True, slots=True)
class UtteranceStarted:
    """The synthesiser began with the utterance that has this id."""

    id: str


@dataclass(frozen=True, slots=True)
class UtteranceAudio:
    """The next audio of an utterance."""

    id: str
    pcm: bytes


@dataclass(frozen=True, slots=True)
class UtteranceWord:
    """A word of an utterance starts at `tick` of its audio."""

    id: str
    text: str
    tick: int


@dataclass(frozen=True, slots=True)
class UtteranceEnded:
    """All audio of an utterance was sent, or it was stopped on demand."""

    id: str
    stopped: bool = False


Signal = (
    Connected
    | Disconnected
    | Failed
    | SpeechStarted
    | Hypothesis
    | Phrase
    | TurnEnded
    | UtteranceStarted
    | UtteranceAudio
    | UtteranceWord
    | UtteranceEnded
)


class SignalQueue:
    """Signals of one client on their way to the loop that made it."""

    def __init__(
        self, deliver: Callable[[Signal], None], max_bytes: int = MAX_WAITING_BYTES
    ) -> None:
        """`deliver` is called on the running loop, in the order of the posts."""
        self._loop = asyncio.get_running_loop()
        self._deliver = deliver
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._waiting: deque[Signal] = deque()
        self._bytes = 0
        self._woken = False
        self._closed = False

    def post(self, signal: Signal) -> None:
        """Hand over a signal, from any thread. Never blocks and never raises."""
        with self._lock:
            if self._closed:
                return
            self._bytes += _size(signal)
            if self._bytes > self._max_bytes:
                self._closed = True
                self._waiting.clear()
                signal = Failed(Trouble.FAILED)
            self._waiting.append(signal)
            wake, self._woken = not self._woken, True
        if wake:
            # The loop may be closed while the process leaves; nobody waits for signals then.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._drain)

    def close(self) -> None:
        """Deliver nothing more."""
        with self._lock:
            self._closed = True
            self._waiting.clear()

    def _drain(self) -> None:
        with self._lock:
            ready, self._waiting = self._waiting, deque()
            self._bytes = 0
            self._woken = False
        for signal in ready:
            self._deliver(signal)


def _size(signal: Signal) -> int:
    content = len(signal.pcm) if isinstance(signal, UtteranceAudio) else 0
    return SIGNAL_BYTES + content
