"""A stopped peer is found in three heartbeats, and a busy machine raises no false alarm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import pytest

from meshkit.endpoints import StaticEndpoints
from meshkit.errors import MeshError, PeerUnreachable, Reason
from meshkit.fleet import Fleet
from meshkit.server import MeshServer
from meshkit.settings import MeshSettings
from meshkit.streams import ClientStream, ServerStream, SilenceDetector
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb
from voicemesh.orchestrator.v1 import orchestrator_pb2_grpc as pb_grpc

INTERVAL = 0.05
Handler = Callable[[ServerStream[pb.ConverseResponse, pb.ConverseRequest]], Awaitable[None]]


# ------------------------------------------------------------------ the detector, no clock


def test_silence_of_three_intervals_is_suspect() -> None:
    detector = SilenceDetector(1.0, now=0.0)
    assert [detector.suspect(t) for t in (1.0, 2.0, 3.0, 4.0)] == [False, False, False, True]


def test_any_message_counts() -> None:
    detector = SilenceDetector(1.0, now=0.0)
    for now in (1.0, 2.0, 3.0):
        detector.heard(now)
        assert not detector.suspect(now)
    assert not detector.suspect(4.0)


def test_time_in_which_we_were_not_scheduled_does_not_count() -> None:
    detector = SilenceDetector(1.0, now=0.0)
    assert not detector.suspect(1.0)
    assert not detector.suspect(9.0)  # the check itself came seven seconds late
    assert not detector.suspect(10.0)
    assert detector.suspect(12.5)


# ------------------------------------------------------------------ over a real channel


class Orchestrator(pb_grpc.OrchestratorServiceServicer):
    def __init__(self, handle: Handler) -> None:
        self._handle = handle

    async def Converse(self, _: object, context: object) -> None:
        async with ServerStream[pb.ConverseResponse, pb.ConverseRequest](
            context, pb.ConverseResponse, interval=INTERVAL
        ) as stream:
            await self._handle(stream)


@pytest.fixture
async def converse() -> AsyncIterator[
    Callable[[Handler], Awaitable[ClientStream[pb.ConverseRequest, pb.ConverseResponse]]]
]:
    """Starts a server with the handler given, and opens one stream to it."""
    servers: list[MeshServer] = []
    fleets: list[Fleet] = []

    async def start(handle: Handler) -> ClientStream[pb.ConverseRequest, pb.ConverseResponse]:
        server = MeshServer("orchestrator", MeshSettings(), port=0)
        pb_grpc.add_OrchestratorServiceServicer_to_server(Orchestrator(handle), server.grpc)
        servers.append(await server.__aenter__())
        fleet = Fleet("orchestrator", StaticEndpoints(frozenset({server.address})))
        fleets.append(await fleet.__aenter__())
        call = fleet.stub(pb_grpc.OrchestratorServiceStub, server.address).Converse()
        return ClientStream(call, pb.ConverseRequest, interval=INTERVAL, peer=server.address)

    yield start
    for fleet in fleets:
        await fleet.__aexit__()
    for server in servers:
        await server.__aexit__(None, None, None)


async def echo(stream: ServerStream[pb.ConverseResponse, pb.ConverseRequest]) -> None:
    while (message := await stream.receive()) is not None:
        await stream.send(
            pb.ConverseResponse(
                utterance_ack=pb.UtteranceAck(utterance=message.utterance.utterance)
            )
        )


def utterance(name: str) -> pb.ConverseRequest:
    return pb.ConverseRequest(utterance=pb.UserUtterance(utterance=name))


async def test_messages_go_both_ways_and_heartbeats_do_not_show(converse) -> None:
    async with await converse(echo) as stream:
        for name in ("u1", "u2"):
            await stream.send(utterance(name))
            assert (await stream.receive()).utterance_ack.utterance == name
        await stream.half_close()
        assert await stream.receive() is None


async def test_heartbeats_keep_a_quiet_stream_alive(converse) -> None:
    """The server answers only after it has received nothing but heartbeats for many intervals."""
    beats = 0

    async def patient(stream: ServerStream[pb.ConverseResponse, pb.ConverseRequest]) -> None:
        nonlocal beats
        read = stream._read

        async def counting() -> object:
            nonlocal beats
            message = await read()
            beats += message is not grpc.aio.EOF and message.HasField("heartbeat")
            if beats == 8:
                await stream.send(pb.ConverseResponse(ready=pb.ConversationReady(agent="agents/a")))
            return message

        stream._read = counting
        assert await stream.receive() is None

    async with await converse(patient) as stream:
        assert (await stream.receive()).ready.agent == "agents/a"
        await stream.half_close()
        while await stream.receive() is not None:
            pass
    assert beats >= 8


async def test_a_silent_server_is_found_by_its_silence(converse) -> None:
    async def frozen(stream: ServerStream[pb.ConverseResponse, pb.ConverseRequest]) -> None:
        stream._beat.cancel()  # what SIGSTOP does: the socket stays open and nothing comes
        assert await stream.receive() is None

    async with await converse(frozen) as stream:
        with pytest.raises(PeerUnreachable, match=r"silent for over 0\.15 s"):
            await stream.receive()


async def test_a_silent_client_is_found_by_the_server(converse) -> None:
    async def strict(stream: ServerStream[pb.ConverseResponse, pb.ConverseRequest]) -> None:
        try:
            await stream.receive()
        except PeerUnreachable:
            raise MeshError(Reason.STREAM_START_MISSING, "noticed") from None

    async with await converse(strict) as stream:
        stream._beat.cancel()
        with pytest.raises(MeshError, match="STREAM_START_MISSING: noticed"):
            await stream.receive()


async def test_a_reason_raised_in_a_stream_reaches_the_client(converse) -> None:
    async def refuse(stream: ServerStream[pb.ConverseResponse, pb.ConverseRequest]) -> None:
        raise MeshError(Reason.SCENARIO_NOT_FOUND, "no scenario of that name")

    async with await converse(refuse) as stream:
        with pytest.raises(MeshError) as caught:
            await stream.receive()
    assert caught.value.is_reason(Reason.SCENARIO_NOT_FOUND)


async def test_sending_on_an_ended_stream_says_so(converse) -> None:
    async def done(stream: ServerStream[pb.ConverseResponse, pb.ConverseRequest]) -> None:
        return

    async with await converse(done) as stream:
        assert await stream.receive() is None
        with pytest.raises(MeshError):
            await stream.send(utterance("u1"))


async def test_a_cancelled_write_does_not_break_the_stream(converse) -> None:
    async with await converse(echo) as stream:
        for _ in range(20):
            cut = asyncio.create_task(stream.send(utterance("cut")))
            await asyncio.sleep(0)
            cut.cancel()
            await asyncio.gather(cut, return_exceptions=True)
            await stream.send(utterance("whole"))
            while (await stream.receive()).utterance_ack.utterance != "whole":
                pass


async def test_a_refusal_reaches_the_peer_though_a_write_is_under_way(converse) -> None:
    async def refuse(stream: ServerStream[pb.ConverseResponse, pb.ConverseRequest]) -> None:
        await stream.receive()
        stream.post(pb.ConverseResponse(ready=pb.ConversationReady(agent="agents/a" * 1000)))
        await asyncio.sleep(0)  # gRPC has the write, and no answer of it yet
        raise MeshError(Reason.POD_DRAINING, "this pod takes no conversation")

    async with await converse(refuse) as stream:
        await stream.send(utterance("u1"))
        with pytest.raises(MeshError) as caught:
            while await stream.receive() is not None:
                pass
    assert caught.value.is_reason(Reason.POD_DRAINING)


class SlowContext:
    """A context whose write ends when it is told to."""

    def __init__(self) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.written = 0

    async def read(self) -> object:
        await asyncio.Event().wait()
        return grpc.aio.EOF

    async def write(self, message: object) -> None:
        self.begun.set()
        await self.may_end.wait()
        self.written += 1


def slow_stream(context: SlowContext) -> ServerStream[pb.ConverseResponse, pb.ConverseRequest]:
    return ServerStream(context, pb.ConverseResponse, interval=INTERVAL)


async def test_leaving_waits_for_the_write_under_way_and_begins_no_other() -> None:
    context = SlowContext()
    stream = await slow_stream(context).__aenter__()
    posted = [stream.post(pb.ConverseResponse()) for _ in range(2)]
    await context.begun.wait()
    leaving = asyncio.create_task(stream.__aexit__(None, None, None))
    await asyncio.sleep(0)
    assert not leaving.done()
    context.may_end.set()
    await leaving
    assert context.written == 1
    assert await posted[0] is None
    with pytest.raises((MeshError, asyncio.CancelledError)):
        await posted[1]


async def test_leaving_waits_no_longer_than_for_a_silent_peer() -> None:
    context = SlowContext()
    stream = await slow_stream(context).__aenter__()
    stream.post(pb.ConverseResponse())
    await context.begun.wait()
    async with asyncio.timeout(10 * INTERVAL):
        await stream.__aexit__(None, None, None)
    assert context.written == 0
