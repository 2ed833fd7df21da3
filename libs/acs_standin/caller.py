"""A placed call: dials the gateway's media WebSocket, speaks and listens in real time.

    async with PlacedCall("ws://127.0.0.1:8081/api/v1/media/stream?scenario=banking") as call:
        spoken = await call.say(pcm)
        await call.hang_up()
    call.recording.write(path)

One frame goes out each 20 ms, silence where nothing is said, as ACS does. What the agent sends is
played out on the same clock, so the recording is what a caller would have heard.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import aiohttp

from acs_standin.track import Arrivals, PlayoutBuffer, StereoRecording, is_silent
from acs_standin.wire import (
    FRAME_BYTES,
    FRAME_SECONDS,
    AgentAudio,
    StopAudio,
    audio_message,
    dtmf_message,
    metadata_message,
    parse_message,
)

CONNECT_SECONDS = 10.0
PARTICIPANT = "4:+15555550100"


class DialError(Exception):
    """The gateway could not be reached or refused the call. The message says why."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of caller audio that was sent; times on the loop's clock."""

    began: float
    ended: float
    """When its last frame left."""


class PlacedCall:
    """One call. `closed` is set when the gateway ends it; `close_code` then says how."""

    def __init__(self, url: str, *, call_connection_id: str = "", metadata: bool = True) -> None:
        self.url = url
        self.call_connection_id = call_connection_id or str(uuid.uuid4())
        self.recording = StereoRecording()
        self.arrivals = Arrivals()
        self.stops = 0
        self.closed = asyncio.Event()
        self.close_code: int | None = None
        self.late_ticks = 0
        """Frames that this side sent over 20 ms late: the machine was busy."""
        self._send_metadata = metadata
        self._playout = PlayoutBuffer()
        self._outgoing: deque[tuple[bytes, asyncio.Future[float] | None]] = deque()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        try:
            self._socket = await self._dial()
        except BaseException:
            await self._http.close()
            raise
        if self._send_metadata:
            await self._socket.send_str(metadata_message(uuid.uuid4().hex))
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._tick())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()
        await self._http.close()

    async def say(self, pcm: bytes) -> Spoken:
        """Speak 16 kHz mono PCM in real time; returns when the last frame has left.

        Raises DialError if the call ends first.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        frames = [pcm[i : i + FRAME_BYTES] for i in range(0, len(pcm), FRAME_BYTES)]
        sent: asyncio.Future[float] = loop.create_future()
        for frame in frames[:-1]:
            self._outgoing.append((frame, None))
        self._outgoing.append((frames[-1] if frames else b"", sent))
        ended = asyncio.ensure_future(self.closed.wait())
        either: list[asyncio.Future[Any]] = [sent, ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not sent.done():
            raise DialError(f"the gateway ended the call (close code {self.close_code})")
        return Spoken(began, sent.result())

    async def press(self, tones: str) -> None:
        """Press keys, one message each."""
        for tone in tones:
            await self._socket.send_str(dtmf_message(tone))

    async def send_raw(self, text: str) -> None:
        """Send any text, for tests of bad input."""
        await self._socket.send_str(text)

    async def send_raw_bytes(self, content: bytes) -> None:
        """Send a binary message, for tests of bad input."""
        await self._socket.send_bytes(content)

    async def hang_up(self) -> None:
        """End the call from the caller's side."""
        await self._socket.close()

    @property
    def waiting_seconds(self) -> float:
        """Agent audio that has come and is not played yet."""
        return self._playout.seconds

    async def _dial(self) -> aiohttp.ClientWebSocketResponse:
        headers = {
            "x-ms-call-connection-id": self.call_connection_id,
            "x-ms-call-correlation-id": str(uuid.uuid4()),
        }
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._http.ws_connect(self.url, headers=headers, max_msg_size=0)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise DialError(f"no gateway answers at {self.url}: {error}") from None

    async def _tick(self) -> None:
        """Every 20 ms: one frame out, one frame heard. A late tick is made up for."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self.closed.is_set():
            await self._one_tick()
            due += FRAME_SECONDS
            wait = due - loop.time()
            if wait < -FRAME_SECONDS:
                self.late_ticks += 1
            await asyncio.sleep(max(0.0, wait))

    async def _one_tick(self) -> None:
        pcm, sent = self._outgoing.popleft() if self._outgoing else (b"", None)
        frame = pcm.ljust(FRAME_BYTES, b"\0")
        self.recording.tick(frame, self._playout.next_frame())
        timestamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        text = audio_message(frame, timestamp, PARTICIPANT, silent=is_silent(frame))
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, ConnectionError):
            return  # the listener tells how the call ended
        if sent is not None and not sent.done():
            sent.set_result(asyncio.get_running_loop().time())

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            said = parse_message(message.data)
            if isinstance(said, AgentAudio):
                self._playout.arrive(said.pcm)
                self.arrivals.frame(loop.time(), len(said.pcm) / FRAME_BYTES * FRAME_SECONDS)
            elif isinstance(said, StopAudio):
                self.stops += 1
                self._playout.stop()
                self.arrivals.stop()
        self.close_code = self._socket.close_code
        self.closed.set()
