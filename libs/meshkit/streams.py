"""Both ends of a long stream, with heartbeats: TCP says nothing of a stopped peer, these do.

Each side sends a heartbeat when it has sent nothing for `interval` seconds; any message counts as
one. A side that has received nothing for three intervals ends the stream with PEER_SUSPECT (a
PeerUnreachable). While our own process was not scheduled we could not have received anything, so
that time does not count against the peer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Self, TypeVar

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]

from meshkit.errors import MeshError, from_rpc_error, unreachable
from voicemesh.mesh.v1.mesh_pb2 import Heartbeat, PodLoad

Out = TypeVar("Out")
In = TypeVar("In")

MISSED_HEARTBEATS = 3


class SilenceDetector:
    """Pure: has the peer been silent for too long? All times in seconds of one clock."""

    def __init__(self, interval: float, now: float) -> None:
        self._interval = interval
        self._heard = now
        self._checked = now

    def heard(self, now: float) -> None:
        """A message came."""
        self._heard = now

    def suspect(self, now: float) -> bool:
        """Asked once an interval. Forgives the time by which this very check came late."""
        late = max(0.0, now - self._checked - self._interval)
        self._heard += late
        self._checked = now
        return now - self._heard > MISSED_HEARTBEATS * self._interval


class HeartbeatStream(Generic[Out, In]):
    """One end of a stream of messages whose oneof has a `heartbeat` field.

    Use as an async context manager. `send` may be called from several tasks, `receive` from one.
    `make` is the class of the messages sent. Both raise MeshError.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[Any]],
        write: Callable[[Any], Awaitable[None]] | None,
        make: Callable[..., Out],
        *,
        interval: float,
        peer: str = "",
        peer_sends: bool = True,
        load: Callable[[], PodLoad] | None = None,
    ) -> None:
        self._read, self._write, self._make = read, write, make
        self._interval = interval
        self._peer = peer
        self._sends = write is not None
        self._peer_sends = peer_sends
        self._load = load
        self._suspect = False
        self._sent_at = 0.0
        self._writing = asyncio.Lock()
        self._writes: set[asyncio.Future[None]] = set()
        self._under_way: asyncio.Task[Any] | None = None
        """The write that gRPC has now."""
        self._reader: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._time = loop.time
        self._silence = SilenceDetector(self._interval, loop.time())
        # Most streams of a request are over before the first heartbeat: no task until then.
        self._beat: asyncio.TimerHandle | asyncio.Task[None] = loop.call_later(
            self._interval, self._begin_beats
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._beat.cancel()
        for task in self._writes:
            task.cancel()
        tasks = [*self._writes, *([self._beat] if isinstance(self._beat, asyncio.Task) else ())]
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)

    async def send(self, message: Out) -> None:
        """Write one message. Raises MeshError if the stream is gone.

        Being cancelled meanwhile does not stop the write: gRPC takes one at a time, and the next
        would fail while an abandoned one is still under way.
        """
        await asyncio.shield(self.post(message))

    async def send_last(self, message: Out) -> None:
        """Write the message that nothing will follow; raises as `send`.

        It needs no task of its own, since being cancelled may stop it: who then leaves the block does
        so because the peer has gone.
        """
        await self._send(message)

    def post(self, message: Out) -> asyncio.Future[None]:
        """Write one message behind those before it, without waiting; the future is its `send`."""
        writing = asyncio.ensure_future(self._send(message))
        self._writes.add(writing)
        writing.add_done_callback(self._written)
        return writing

    def _written(self, writing: asyncio.Future[None]) -> None:
        self._writes.discard(writing)
        if not writing.cancelled():
            writing.exception()  # who was cancelled meanwhile does not ask any more

    async def _send(self, message: Out) -> None:
        async with self._writing:
            if not self._sends or self._write is None:
                raise self._gone()
            self._sent_at = self._time()
            self._under_way = asyncio.current_task()
            try:
                await self._write(message)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError):
                self._sends = False
                raise await self._why_ended() from None
            finally:
                self._under_way = None

    async def receive(self) -> In | None:
        """The next message that is no heartbeat; None when the peer is done. Raises MeshError."""
        while True:
            message = await self._next()
            if message is grpc.aio.EOF:
                self._peer_sends = False
                return None
            self._silence.heard(self._time())
            if not message.HasField("heartbeat"):
                received: In = message
                return received

    async def _next(self) -> Any:
        if self._suspect:
            raise self._silent()
        self._silence.heard(self._time())  # only silence that someone listens to counts
        self._reader = asyncio.current_task()
        try:
            return await self._read()
        except grpc.aio.AioRpcError as error:
            raise self._failure(error) from None
        except asyncio.CancelledError:
            if not self._suspect or self._reader is None:
                raise
            self._reader.uncancel()
            raise self._silent() from None
        finally:
            self._reader = None

    def _begin_beats(self) -> None:
        self._beat = asyncio.create_task(self._beats())

    async def _beats(self) -> None:
        while True:
            now = self._time()
            if self._silence.suspect(now) and self._reader is not None and self._peer_sends:
                self._give_up()
                return
            if self._sends and now - self._sent_at >= self._interval:
                try:
                    await self.send(self._make(heartbeat=self._heartbeat()))
                except MeshError:
                    self._sends = False  # the reader learns why
            await asyncio.sleep(self._interval)

    def _heartbeat(self) -> Heartbeat:
        heartbeat = Heartbeat(load=self._load() if self._load else None)
        heartbeat.interval.FromMilliseconds(round(self._interval * 1000))
        return heartbeat

    def _give_up(self) -> None:
        """End the pending `receive`, and all that follows."""
        self._suspect = True
        if self._reader is not None:
            self._reader.cancel()

    def _failure(self, error: grpc.aio.AioRpcError) -> MeshError:
        return self._silent() if self._suspect else from_rpc_error(error, self._peer)

    async def _why_ended(self) -> MeshError:
        return self._silent() if self._suspect else self._gone()

    def _silent(self) -> MeshError:
        waited = f"silent for over {MISSED_HEARTBEATS * self._interval:g} s"
        return unreachable(grpc.StatusCode.UNAVAILABLE, waited, self._peer)

    def _gone(self) -> MeshError:
        return unreachable(grpc.StatusCode.UNAVAILABLE, "the stream has ended", self._peer)


class ClientStream(HeartbeatStream[Out, In]):
    """The client's end of a call; leaving the block cancels what is left of it.

    `call` is what a stub's method returned. For a call with one request and a stream of responses
    only the server's heartbeats are watched.
    """

    def __init__(
        self, call: Any, make: Callable[..., Out], *, interval: float, peer: str = ""
    ) -> None:
        write = self._write_keeping_status if hasattr(call, "write") else None
        super().__init__(call.read, write, make, interval=interval, peer=peer)
        self._call = call

    async def half_close(self) -> None:
        """Say that nothing more will be sent; the heartbeats of this side end with it."""
        async with self._writing:
            if self._sends:
                self._sends = False
                await self._call.done_writing()

    async def __aexit__(self, *exc: object) -> None:
        await super().__aexit__(*exc)
        self._call.cancel()

    async def _write_keeping_status(self, message: Out) -> None:
        """As `call.write`, which on failure overwrites the status that the peer sent with INTERNAL.

        The write that fails is the one under way when the peer ends the call, so this is how every
        refusal in mid-stream would reach us. grpc.aio has no public way around it.
        """
        call = self._call
        if call.done():
            raise asyncio.InvalidStateError("the call has ended")
        await call._metadata_sent.wait()
        try:
            await call._cython_call.send_serialized_message(message.SerializeToString())  # type: ignore[attr-defined]
        except cygrpc.InternalError:
            raise asyncio.InvalidStateError("the call ended during the write") from None

    async def _why_ended(self) -> MeshError:
        """The status that the peer sent, where it is here already; the reader always gets it."""
        if self._suspect or not self._call.done():
            return await super()._why_ended()
        code, trailing = await self._call.code(), await self._call.trailing_metadata()
        if code is grpc.StatusCode.OK:
            return await super()._why_ended()
        details = await self._call.details()
        status = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details)
        return from_rpc_error(status, self._peer)


class ServerStream(HeartbeatStream[Out, In]):
    """The server's end, in a handler that is a coroutine (not a generator).

    With `reads` False, for an RPC of one request, it only sends. `load` is told in each heartbeat.
    """

    def __init__(
        self,
        context: Any,
        make: Callable[..., Out],
        *,
        interval: float,
        reads: bool = True,
        load: Callable[[], PodLoad] | None = None,
    ) -> None:
        super().__init__(
            context.read, context.write, make, interval=interval, peer_sends=reads, load=load
        )

    async def __aexit__(self, *exc: object) -> None:
        """The write under way ends first, within the time of a silent peer.

        gRPC would refuse the status that follows while it has a write, though its task is cancelled,
        and the peer would hear nothing of how the call ended.
        """
        self._sends = False
        try:
            if self._under_way is not None:
                await asyncio.wait({self._under_way}, timeout=MISSED_HEARTBEATS * self._interval)
        finally:
            await super().__aexit__(*exc)
