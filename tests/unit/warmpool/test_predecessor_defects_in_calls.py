"""The predecessor's defects that are the application's, one test for each of the known rows.

The pool cannot have them; its users can. Each row is tested on the least that shows it:

    row   here, on                                   also, in tests/contract/test_gateway_media.py
    16    `SpeechLeases` and two speech-pool pods    test_tiers_are_warm_first_and_dedicated_after
    18    `SpeechLeases` and a speech-pool pod       (the same)
    19    a call on the gateway's rig                test_a_call_that_cannot_be_spoken_to_is_closed...
    20    a pool whose factory waits; our own hooks
"""

from __future__ import annotations

import ast
import asyncio
import time
from pathlib import Path

import speech_pool.engines
from gateway.leases import ClientKind, SpeechLeases
from meshkit.endpoints import StaticEndpoints
from meshkit.fleet import Fleet
from tests.support import speech_pod
from tests.support.gateway_rig import rig
from tests.support.pool_factory import Factory, settle
from tests.unit.warmpool.conftest import MakePool
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from warmpool import AllocationTier

DEDICATED, WARM, COLD = AllocationTier


async def test_row_16_a_call_finds_its_client_on_the_pod_that_holds_it() -> None:
    """Row 16: each process had a cache of its own, and nothing led a session back to it."""
    async with speech_pod.running() as one, speech_pod.running() as other:
        source = StaticEndpoints(frozenset({one.address, other.address}))
        async with Fleet("speech-pool", source) as fleet:
            calls = [_leases(fleet, f"call-{number}") for number in range(4)]
            for leases in calls:
                first = await leases.allocate(ClientKind.RECOGNIZER)
                again = [await leases.allocate_again(ClientKind.RECOGNIZER) for _ in range(3)]
                assert {lease.address for lease in again} == {first.address}
                assert {(lease.name, lease.tier) for lease in again} == {(first.name, "dedicated")}
            for leases in calls:
                await leases.release()


async def test_row_18_a_session_has_one_client_of_a_kind_whoever_asks() -> None:
    """Row 18: two parts of one call used two keys, and each held a synthesiser of its own."""
    async with speech_pod.running() as pod:
        for _ in range(2):  # two parts of the call that know nothing of each other
            leases = _leases(pod.fleet, "call")
            granted = await leases.allocate(ClientKind.SYNTHESIZER)
        assert granted.tier == "dedicated"
        assert (await pod.stats(pb.CLIENT_KIND_SYNTHESIZER)).leased_count == 1
        await leases.release()
        assert (await pod.stats(pb.CLIENT_KIND_SYNTHESIZER)).leased_count == 0


async def test_row_19_a_call_that_gets_one_client_but_not_the_other_gives_the_one_back() -> None:
    """Row 19: one kind of client leaked when there was none of the other."""
    async with rig(speech={"synthesizer_warm": 1, "synthesizer_max": 1}) as mesh:
        hears = mesh.pools.of_kind(pb.CLIENT_KIND_RECOGNIZER)
        async with mesh.call("one"):
            await mesh.until("turn_finished", "one")
            async with mesh.call("two"):
                assert (await mesh.until("call_ended", "two"))["reason"] == "no_capacity"
            counts = hears.stats().tier_counts
            assert counts[WARM] + counts[COLD] == 2  # the second call had one
            assert hears.stats().leased_count == 1


async def test_row_20_a_hook_that_waits_holds_up_nobody_else(
    make_pool: MakePool, factory: Factory
) -> None:
    """Row 20: the documented warm function blocked the event loop, and with it every call."""
    pool = make_pool(warm_target=1, max_size=3)
    await pool.prepare()
    factory.gate = asyncio.Event()
    slow = asyncio.create_task(pool.allocate("slow", allowed_tiers=[COLD]))
    await settle()
    assert (await pool.allocate("other")).tier is WARM
    assert not slow.done()
    factory.gate.set()
    assert (await slow).tier is COLD


def test_row_20_no_hook_of_an_engine_waits_for_a_thread_on_the_loop() -> None:
    """Row 20, in our own hooks: no coroutine of an engine calls `time.sleep`, joins a thread, or
    waits for an SDK future (`..._async().get()`)."""
    paths = list(Path(speech_pool.engines.__file__).parent.rglob("*.py"))
    assert {path.name: found for path in paths if (found := _blocking(path.read_text()))} == {}
    assert any("async def warm" in path.read_text() for path in paths)


def test_row_20_the_predecessors_example_would_be_found() -> None:
    """Row 20: so that the test above can fail."""
    body = "    s.speak_text_async(' ').get()\n    time.sleep(1)\n    await asyncio.sleep(1)\n"
    assert len(_blocking("async def warm(s):\n" + body)) == 2
    assert _blocking("def warm(s):\n" + body.replace("await ", "")) == []


def _leases(fleet: Fleet, session: str) -> SpeechLeases:
    return SpeechLeases(fleet, f"sessions/{session}", timeout=5.0, clock=time.monotonic)


def _blocking(source: str) -> list[str]:
    """Calls in the coroutines of a module that would block the loop."""
    coroutines = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.AsyncFunctionDef))
    calls = (n for c in coroutines for n in ast.walk(c) if isinstance(n, ast.Call))
    return [ast.unparse(call) for call in calls if _blocks(call)]


def _blocks(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return False
    name, of = call.func.attr, call.func.value
    if name == "get":
        return isinstance(of, ast.Call) and ast.unparse(of.func).endswith("_async")
    return (name, ast.unparse(of)) == ("sleep", "time") or (name == "join" and not call.args)
