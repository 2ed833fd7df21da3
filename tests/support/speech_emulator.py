"""The Azure Speech service on a free port of this machine: its WebSocket protocol both ways.

The real SDK talks to it. What is said to it in tones it hears, and it speaks in tones (`tonetext`).
It misbehaves as told: `misbehave` for connections to come, `drop` and `mute` for those there are.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from tests.support import speech_wire as wire
from tests.support.speech_turns import Asked, RecognitionTurn, SynthesisTurn, read_ssml

KEY = "key-of-the-emulator"
VOICES = ("en-US-AvaMultilingualNeural", "en-US-AndrewMultilingualNeural")
_RATE = re.compile(r"raw-(\d+)khz-16bit-mono-pcm")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one connection."""

    status: int = 0
    """The upgrade is refused with this HTTP status."""
    retry_after: str = ""
    """Header of the refusal."""
    close_code: int = 0
    """The socket is closed with this code where the first turn would be answered."""
    drop_after_bytes: int = 0
    """The socket is cut, without a word, when this much audio went through it."""
    silent: bool = False
    """The upgrade is accepted, what comes is read, and nothing is ever answered."""
    first_byte_seconds: float = 0.0
    """Time from a request to its first audio."""


_NO_FAULT = Fault()


@dataclass
class Connection:
    """One socket."""

    socket: web.WebSocketResponse
    request: web.Request
    fault: Fault
    audio_bytes: int = 0

    async def send(self, messages: Iterable[str | bytes]) -> None:
        """Answer, unless told to be silent; ends with the socket."""
        for message in messages:
            if self.fault.silent:
                return
            if self.fault.close_code:
                await self.socket.close(code=self.fault.close_code, message=b"told to close")
                raise ConnectionResetError
            if isinstance(message, bytes):
                await self.socket.send_bytes(message)
                self.count(len(message))
            else:
                await self.socket.send_str(message)

    def count(self, size: int) -> None:
        """Note audio, and cut the socket where the fault says so."""
        self.audio_bytes += size
        if 0 < self.fault.drop_after_bytes <= self.audio_bytes:
            self.cut()
            raise ConnectionResetError

    def cut(self) -> None:
        """End the TCP connection without a WebSocket close."""
        if self.request.transport is not None:
            self.request.transport.abort()


@dataclass
class SpeechEmulator:
    """An async context manager; `endpoint` is where it serves."""

    voices: tuple[str, ...] = VOICES
    detects: str = ""
    """Language that is found where clients ask which it is."""
    bearer: str = ""
    """Token that is accepted beside `KEY`."""
    endpoint: str = ""
    handshakes: int = 0
    """Upgrades that were asked for, refused ones too."""
    open: list[Connection] = field(default_factory=list)
    """The sockets there are."""
    asked: list[Asked] = field(default_factory=list)
    """What was to be spoken."""
    turns: list[RecognitionTurn] = field(default_factory=list)
    """What was to be heard."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever a socket opens or closes, or a turn begins."""
    _faults: deque[Fault] = field(default_factory=deque)
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> SpeechEmulator:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.endpoint = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.drop()
        assert self._runner is not None
        await self._runner.cleanup()

    def misbehave(self, fault: Fault, connections: int = 1) -> None:
        """The next connections have this fault."""
        self._faults.extend([fault] * connections)

    def behave(self) -> None:
        """Forget the faults that are still to come."""
        self._faults.clear()

    def drop(self) -> None:
        """Cut all sockets."""
        for connection in list(self.open):
            connection.cut()

    def mute(self) -> None:
        """Answer nothing more on the sockets there are: half-open, as behind a dead firewall."""
        for connection in self.open:
            connection.fault = Fault(silent=True)

    async def until_open(self, count: int) -> None:
        """Wait until there are `count` sockets."""
        async with asyncio.timeout(10):
            while len(self.open) != count:
                self.changed.clear()
                await self.changed.wait()

    async def until_turns(self, count: int) -> None:
        """Wait until `count` recognition turns were begun."""
        async with asyncio.timeout(10):
            while len(self.turns) < count:
                self.changed.clear()
                await self.changed.wait()

    # ------------------------------------------------------------------ connections

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.handshakes += 1
        fault = self._faults.popleft() if self._faults else _NO_FAULT
        if status := fault.status or self._refusal(request):
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            return web.Response(status=status, headers=headers)
        socket = web.WebSocketResponse(max_msg_size=0, compress=False, protocols=("USP",))
        try:
            await socket.prepare(request)
        except ConnectionError:
            return socket  # the client went away meanwhile
        connection = Connection(socket, request, fault)
        self.open.append(connection)
        self.changed.set()
        try:
            await self._converse(connection)
        finally:
            self.open.remove(connection)
            self.changed.set()
        return socket

    def _refusal(self, request: web.Request) -> int:
        if request.headers.get("Ocp-Apim-Subscription-Key") == KEY:
            return 0
        token = f"Bearer {self.bearer}"
        return 0 if self.bearer and request.headers.get("Authorization") == token else 401

    async def _converse(self, connection: Connection) -> None:
        speaks = connection.request.path.endswith("/cognitiveservices/websocket/v1")
        with contextlib.suppress(ConnectionError):
            await (self._speak(connection) if speaks else self._hear(connection))

    # ------------------------------------------------------------------ turns

    async def _hear(self, connection: Connection) -> None:
        turn: RecognitionTurn | None = None
        async for message in _messages(connection):
            if message.path == "speech.context":
                turn = RecognitionTurn(message.request, message.json(), self.detects)
                self.turns.append(turn)
                self.changed.set()
            elif message.path == "audio" and turn and turn.request == message.request:
                connection.count(len(message.body))
                await connection.send(turn.hear(message.body))

    async def _speak(self, connection: Connection) -> None:
        hertz = 0
        async for message in _messages(connection):
            if message.path == "synthesis.context":
                hertz = _rate(message)
            elif message.path == "ssml":
                await self._utter(connection, message, hertz)

    async def _utter(self, connection: Connection, message: wire.Message, hertz: int) -> None:
        try:
            asked = read_ssml(message.body.decode())
        except ValueError:
            await connection.socket.close(code=1007, message=b"Ssml parsing error.")
            return
        self.asked.append(asked)
        if asked.voice not in self.voices:
            problem = f"Unsupported voice {asked.voice}."
            await connection.socket.close(code=1007, message=problem.encode())
            return
        turn = SynthesisTurn(message.request, asked.text, hertz)
        await connection.send(turn.begin())
        await asyncio.sleep(connection.fault.first_byte_seconds)
        await connection.send(turn.speak())


async def _messages(connection: Connection) -> AsyncIterator[wire.Message]:
    async for message in connection.socket:
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            yield wire.parse(message.data)


def _rate(message: wire.Message) -> int:
    match = _RATE.search(message.body.decode())
    assert match, "the client asked for an output format that the emulator does not make"
    return int(match[1]) * 1000
