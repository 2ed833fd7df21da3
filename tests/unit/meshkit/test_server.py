"""A server answers with reasons, keeps deadlines, carries the call's ids, and drains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshkit.context import call_context, current_ids, new_trace
from meshkit.endpoints import StaticEndpoints
from meshkit.errors import MeshError, PeerUnreachable, Reason
from meshkit.fleet import Fleet
from meshkit.rpc import Retry
from meshkit.server import LIVENESS, MeshServer
from meshkit.settings import MeshSettings
from meshkit.startup import StartupError
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from voicemesh.speech.v1 import speech_pool_pb2_grpc as pb_grpc

NAME = "voicemesh.speech.v1.SpeechPoolService"
AT_ONCE = Retry(attempts=3, first_seconds=0.001)


class Pool(pb_grpc.SpeechPoolServiceServicer):
    """Does what the request's session says."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()

    async def AllocateClient(
        self, request: pb.AllocateClientRequest, context: object
    ) -> pb.AllocateClientResponse:
        self.seen.append(current_ids())
        self.entered.set()
        match request.session:
            case "refuse":
                raise MeshError(Reason.POOL_EXHAUSTED, "full", retry_after_seconds=2.0)
            case "drain":
                raise MeshError(Reason.POD_DRAINING, "going")
            case "bug":
                raise ZeroDivisionError("secret words of a caller")
            case "wait":
                await self.go_on.wait()
        return pb.AllocateClientResponse()


class Rig:
    def __init__(self, settings: MeshSettings) -> None:
        self.pool = Pool()
        self.server = MeshServer("speech-pool", settings, port=0)
        pb_grpc.add_SpeechPoolServiceServicer_to_server(self.pool, self.server.grpc)
        self.server.serves(NAME)

    async def allocate(self, fleet: Fleet, session: str = "", **more: object) -> object:
        request = pb.AllocateClientRequest(session=session)
        timeout = more.pop("timeout", 5.0)
        return await fleet.unary(
            pb_grpc.SpeechPoolServiceStub,
            "AllocateClient",
            request,
            timeout=timeout,
            **more,  # type: ignore[arg-type]
        )


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig(MeshSettings(drain_seconds=5.0, max_unary_seconds=0.05))
    async with rig.server:
        await rig.server.ready()
        yield rig


@pytest.fixture
async def fleet(rig: Rig) -> AsyncIterator[Fleet]:
    async with Fleet("speech-pool", StaticEndpoints(frozenset({rig.server.address}))) as fleet:
        yield fleet


async def test_a_reason_reaches_the_caller_with_its_domain_and_hint(rig: Rig, fleet: Fleet) -> None:
    with pytest.raises(MeshError) as caught:
        await rig.allocate(fleet, "refuse")
    assert caught.value.is_reason(Reason.POOL_EXHAUSTED)
    assert caught.value.domain == "speech-pool.voicemesh"
    assert caught.value.retry_after_seconds == 2.0


async def test_an_unforeseen_exception_tells_a_trace_id_and_nothing_else(
    rig: Rig, fleet: Fleet
) -> None:
    with new_trace():
        trace = current_ids()["trace"]
        with pytest.raises(MeshError) as caught:
            await rig.allocate(fleet, "bug")
    assert caught.value.is_reason(Reason.INTERNAL_ERROR)
    assert caught.value.metadata == {"trace": trace}
    assert "secret" not in str(caught.value)


async def test_the_ids_of_the_call_travel_with_the_request(rig: Rig, fleet: Fleet) -> None:
    with new_trace(), call_context(session="a", turn="t3"):
        mine = current_ids()
        await rig.allocate(fleet)
    assert rig.pool.seen == [mine]
    assert mine["session"] == "a"
    assert mine["turn"] == "t3"
    await rig.allocate(fleet)
    assert rig.pool.seen[-1] == {}


async def test_the_callers_deadline_holds(rig: Rig, fleet: Fleet) -> None:
    with pytest.raises(PeerUnreachable) as caught:
        await rig.allocate(fleet, "wait", timeout=0.05)
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_without_a_deadline_the_server_sets_one(rig: Rig) -> None:
    async with grpc.aio.insecure_channel(rig.server.address) as channel:
        stub = pb_grpc.SpeechPoolServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.AllocateClient(pb.AllocateClientRequest(session="wait"))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_health_follows_readiness() -> None:
    rig = Rig(MeshSettings())
    async with rig.server, grpc.aio.insecure_channel(rig.server.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        serving = health_pb2.HealthCheckResponse
        request = health_pb2.HealthCheckRequest(service=NAME)
        assert (await health.Check(request)).status == serving.NOT_SERVING
        alive = health_pb2.HealthCheckRequest(service=LIVENESS)
        assert (await health.Check(alive)).status == serving.SERVING
        await rig.server.ready()
        assert (await health.Check(request)).status == serving.SERVING


async def test_a_drain_lets_work_under_way_finish_and_says_so_first(rig: Rig, fleet: Fleet) -> None:
    refused = asyncio.Event()

    async def refuse_new_work() -> None:
        refused.set()
        rig.pool.go_on.set()

    rig.server.on_drain(refuse_new_work)
    under_way = asyncio.create_task(rig.allocate(fleet, "wait"))
    await rig.pool.entered.wait()
    drained = asyncio.create_task(rig.server.until_drained())
    await asyncio.sleep(0)
    rig.server.drain()
    await under_way
    await drained
    assert refused.is_set()
    assert await fleet.why_not() == "UNAVAILABLE"


async def test_a_port_in_use_is_one_sentence(rig: Rig) -> None:
    other = MeshServer("orchestrator", MeshSettings(), port=rig.server.port)
    with pytest.raises(StartupError, match=rf"{rig.server.port}.*in use.*VOICEMESH_GRPC_PORT"):
        await other.__aenter__()


# ------------------------------------------------------------------ the fleet


async def test_a_retry_goes_to_another_pod(rig: Rig) -> None:
    dead = "127.0.0.1:1"
    source = StaticEndpoints(frozenset({dead, rig.server.address}))
    async with Fleet("speech-pool", source) as fleet:
        for _ in range(5):
            await rig.allocate(fleet, retry=AT_ONCE)
    assert len(rig.pool.seen) == 5


async def test_only_unavailable_is_retried(rig: Rig, fleet: Fleet) -> None:
    with pytest.raises(MeshError, match="POOL_EXHAUSTED"):
        await rig.allocate(fleet, "refuse", retry=AT_ONCE)
    assert len(rig.pool.seen) == 1
    with pytest.raises(MeshError, match="POD_DRAINING"):
        await rig.allocate(fleet, "drain", retry=AT_ONCE)
    assert len(rig.pool.seen) == 4


async def test_a_fleet_without_pods_answers_at_once() -> None:
    async with Fleet("speech-pool", StaticEndpoints(frozenset())) as fleet:
        with pytest.raises(PeerUnreachable, match="no pod is known"):
            fleet.pick()
        assert "no pod is known" in await fleet.why_not()


async def test_a_pod_outside_the_fleet_is_reached_by_its_address(rig: Rig) -> None:
    async with Fleet("speech-pool", StaticEndpoints(frozenset())) as fleet:
        await rig.allocate(fleet, address=rig.server.address)
    assert len(rig.pool.seen) == 1
