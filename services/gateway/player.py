"""Plays the agent's audio to the media socket by a timer: the shell around `playback`.

No task and no queue: audio that comes is sent in the same callback if a frame is due, and a timer of
the loop sends the next.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from gateway.playback import PacingStats, Playback, Played

MAX_WAITING_SECONDS = 10.0
"""Audio ahead of the caller at which reading from the synthesiser stops."""


class MediaSocket(Protocol):
    """The caller's socket, as a call sees it. Sending to a closed one does nothing."""

    def send_audio(self, pcm: bytes) -> None:
        """One frame of agent audio."""
        ...

    def stop_audio(self) -> None:
        """Throw away what was sent and not played."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close the socket. Idempotent."""
        ...


class PlayerListener(Protocol):
    """What is told of the playing."""

    def segment_started(self, segment: str) -> None:
        """The first frame of a segment left."""
        ...

    def segment_played(self, played: Played) -> None:
        """A segment was played to its end."""
        ...


class Player:
    """One call's mouth."""

    def __init__(self, socket: MediaSocket, listener: PlayerListener, lead_frames: int) -> None:
        self._socket = socket
        self._listener = listener
        self._playback = Playback(lead_frames)
        self._loop = asyncio.get_running_loop()
        self._clock = time.monotonic  # uvloop's own clock stands still within a turn of the loop
        self._timer: asyncio.TimerHandle | None = None
        self._room = asyncio.Event()
        self._room.set()

    @property
    def stats(self) -> PacingStats:
        """How evenly frames left."""
        return self._playback.stats

    def open(self, segment: str) -> None:
        """A segment that will be played after those opened before."""
        self._playback.open(segment)

    def add(self, segment: str, pcm: bytes) -> bool:
        """The next audio of a segment; False if the segment was cut."""
        taken = self._playback.add(segment, pcm, self._clock())
        if taken:
            self._play()
        return taken

    def complete(self, segment: str) -> None:
        """No more audio of a segment will come."""
        self._playback.complete(segment)
        self._play()

    def hold(self) -> None:
        """Be silent at once, and keep what was not heard."""
        if self._playback.hold(self._clock()):
            self._socket.stop_audio()
        self._stop_timer()

    def resume(self) -> None:
        """Go on where `hold` stopped."""
        self._playback.resume()
        self._play()

    def cut(self) -> list[Played]:
        """Be silent at once, and drop everything; how far each segment came."""
        sounding = self._playback.sounding
        left = self._playback.cut(self._clock())
        if sounding:
            self._socket.stop_audio()
        self._stop_timer()
        self._room.set()
        return left

    async def has_room(self) -> None:
        """Wait while more audio waits than is good to hold."""
        await self._room.wait()

    def _play(self) -> None:
        now = self._clock()
        tick = self._playback.tick(now)
        for frame in tick.frames:
            self._socket.send_audio(frame)
        self._stop_timer()
        if tick.next_at is not None:
            self._timer = self._loop.call_later(max(0.0, tick.next_at - now), self._play)
        if self._playback.waiting_seconds > MAX_WAITING_SECONDS:
            self._room.clear()
        else:
            self._room.set()
        for segment in tick.started:
            self._listener.segment_started(segment)
        for played in tick.finished:
            self._listener.segment_played(played)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
