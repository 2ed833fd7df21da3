"""Calls over the gateway's media WebSocket, dialled as ACS dials, with real streams behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from acs_standin.caller import PlacedCall
from gateway import notices
from gateway.access import sign_ticket
from meshkit.errors import MeshError, Reason
from tests.support.gateway_peers import OrchestratorScript, StoredSession
from tests.support.gateway_rig import NOWHERE, Rig, rig
from tests.support.scripted_engine import Script
from tests.support.tonetext import decode, encode

KEY = "k" * 32


async def closed(call: PlacedCall) -> int | None:
    """The code that the gateway closed the call with."""
    async with asyncio.timeout(20):
        await call.closed.wait()
    return call.close_code


async def ended(mesh: Rig, session: str = "call-1") -> str:
    """Why the call ended, once everything was given back."""
    async with asyncio.timeout(20):
        return str((await mesh.until("call_ended", session))["reason"])


async def until_heard(call: PlacedCall, text: str) -> None:
    """Until the caller has heard a text from the agent."""
    while text not in decode(call.recording.agent):
        await asyncio.sleep(0.02)


def held(mesh: Rig) -> int:
    """Speech clients that calls hold now."""
    return sum(pool.stats().leased_count for _, pool in mesh.pools.items())


# --------------------------------------------------------------------------- a whole call


async def test_a_call_is_heard_answered_recorded_and_given_back() -> None:
    async with rig(OrchestratorScript(tool="get_balance")) as mesh:
        async with mesh.call() as call:
            await mesh.until("turn_finished", turn="t0")
            await call.say(encode("Balance?"))
            await mesh.until("turn_finished", turn="t1")
            await call.hang_up()
            assert await ended(mesh) == "caller_hung_up"
        assert decode(call.recording.agent) == "Hello.You said Balance?"
        assert [e["kind"] for e in mesh.told("error")] == []
        said = mesh.orchestrator.said
        assert [request.WhichOneof("event") for request in said] == [
            "start",
            "heard",
            "utterance",
            "heard",
            "call_ended",
        ]
        assert said[0].start.scenario == "scenarios/banking"
        assert said[0].start.owner_epoch == 1
        assert (said[2].utterance.utterance, said[2].utterance.transcript) == ("u1", "Balance?")
        assert said[2].utterance.end_sample > said[2].utterance.start_sample > 0
        assert said[4].call_ended.reason == "caller_hung_up"
        journal = mesh.store.journal("call-1")
        assert list(journal) == ["t0/s0/heard", "u1", "t1/s0/heard", "ended"]
        assert journal["t1/s0/heard"].heard.heard_text_length == len("You said Balance?")
        assert not journal["t1/s0/heard"].heard.interrupted
        assert journal["ended"].ended.reason == "caller_hung_up"
        assert mesh.store.released == ["sessions/call-1"]
        assert held(mesh) == 0


async def test_tiers_are_warm_first_and_dedicated_after() -> None:
    async with rig() as mesh, mesh.call() as call:
        first = await mesh.until("turn_finished", turn="t0")
        await call.say(encode("Hi."))
        second = await mesh.until("turn_finished", turn="t1")
    tiers = ("recognizer_tier", "synthesizer_tier")
    assert [first[tier] for tier in tiers] == ["warm", "warm"]
    assert [second[tier] for tier in tiers] == ["dedicated", "dedicated"]


async def test_a_cold_client_is_called_cold() -> None:
    async with rig(speech={"recognizer_warm": 0, "synthesizer_warm": 0}) as mesh, mesh.call():
        first = await mesh.until("turn_finished", turn="t0")
    assert (first["recognizer_tier"], first["synthesizer_tier"]) == ("cold", "cold")


async def test_the_timeline_has_a_row_for_each_turn_in_the_order_of_a_turn() -> None:
    async with rig() as mesh, mesh.call() as call:
        await mesh.until("turn_finished", turn="t0")
        await call.say(encode("Hi."))
        await mesh.until("turn_finished", turn="t1")
        status, body = await mesh.get("/api/v1/calls/call-1/timeline")
    assert status == 200
    greeting, answer = body["turns"]
    assert greeting["timeline"]["end_of_speech_to_final_ms"] is None
    assert greeting["timeline"]["to_first_frame_ms"] > 0
    times = answer["timeline"]
    order = ["end_of_speech_to_final_ms", "to_first_segment_ms", "to_first_audio_ms"]
    steps = [times[name] for name in [*order, "to_first_frame_ms"]]
    assert steps == sorted(steps)
    assert times["to_last_heard_ms"] > times["to_first_frame_ms"]
    assert sum(part["ms"] for part in answer["parts"]) == pytest.approx(
        answer["mouth_to_ear_ms"], abs=0.1
    )
    assert times["to_first_token_ms"] >= times["end_of_speech_to_final_ms"] + 4
    assert (answer["model_ms"], answer["tool_ms"]) == (5.0, 2.0)
    assert (answer["cause"], answer["agent"], answer["outcome"]) == ("u1", "a", "completed")


async def test_a_call_that_says_nothing_is_a_call() -> None:
    async with rig(OrchestratorScript(greeting="")) as mesh:
        async with mesh.call() as call:
            await mesh.until("allocation", client_kind="recognizer")
            await call.hang_up()
            assert await ended(mesh) == "caller_hung_up"
        assert mesh.told("transcript") == []
        assert held(mesh) == 0


async def test_an_unknown_voice_is_replaced_by_the_default_one() -> None:
    async with rig(OrchestratorScript(voice="nobody")) as mesh, mesh.call() as call:
        await mesh.until("turn_finished", turn="t0")
        await call.say(encode("Hi."))
        await mesh.until("turn_finished", turn="t1")
        assert decode(call.recording.agent) == "Hello.You said Hi."


async def test_a_session_name_is_made_where_the_connection_id_cannot_be_one() -> None:
    async with rig() as mesh, mesh.call(session="aHR0cHM6Ly9h/b+c=="):
        while not mesh.calls.live:
            await asyncio.sleep(0)
        session = mesh.calls.live[0].spec.session
        assert len(session) == 32
        assert session.isalnum()


# --------------------------------------------------------------------------- interrupting


LONG = "One two three four five six seven eight nine ten."


async def test_a_caller_who_speaks_cuts_the_agent_and_what_was_heard_is_known() -> None:
    async with rig(OrchestratorScript(greeting=LONG)) as mesh, mesh.call() as call:
        await mesh.until("segment")
        await until_heard(call, "two")
        await call.say(encode("Stop."))
        cut = await mesh.until("barge_in", turn="t0")
        finished = await mesh.until("turn_finished", turn="t0")
        await mesh.until("turn_finished", turn="t1")
        heard_text = LONG[: cut["heard_text_length"]]
        recording = decode(call.recording.agent)
        await mesh.store.until(lambda: "t1/s0/heard" in mesh.store.journal("call-1"))
    assert call.stops >= 1
    assert finished["outcome"] == "interrupted"
    assert LONG.startswith(heard_text)
    assert "two" in heard_text
    assert "ten" not in recording
    assert recording.endswith("You said Stop.")
    noted = mesh.store.journal("call-1")["t0/s0/heard"].heard
    assert (noted.interrupted, noted.heard_text_length) == (True, cut["heard_text_length"])
    kinds = [r.WhichOneof("event") for r in mesh.orchestrator.said]
    assert kinds[:4] == ["start", "heard", "interruption", "utterance"]
    assert mesh.orchestrator.all("interruption")[0].interruption.turn == "t0"
    told = mesh.orchestrator.all("heard")[0].heard
    assert (told.heard_text_length, told.interrupted) == (cut["heard_text_length"], True)


async def test_a_noise_without_words_only_holds_the_agent() -> None:
    async with rig(OrchestratorScript(greeting="One two three.")) as mesh, mesh.call() as call:
        await mesh.until("segment")
        await call.say(encode(" "))
        finished = await mesh.until("turn_finished", turn="t0")
        assert call.stops == 1
        assert mesh.told("barge_in") == []
        assert finished["outcome"] == "completed"
        assert mesh.orchestrator.all("utterance") == []
    assert "three." in decode(call.recording.agent)


async def test_with_barge_in_off_the_agent_ends_its_sentence() -> None:
    script = OrchestratorScript(greeting="One two three.")
    async with rig(script, barge_in=False) as mesh, mesh.call() as call:
        await mesh.until("segment")
        await call.say(encode("No."))
        await mesh.until("turn_finished", turn="t1")
        assert call.stops == 0
        assert decode(call.recording.agent) == "One two three.You said No."


async def test_segments_of_a_cut_turn_that_still_come_are_not_said() -> None:
    def reply(text: str) -> list[str]:
        return ["One two three four.", "Five six seven."] if text == "Go." else ["Well."]

    async with rig(OrchestratorScript(reply=reply)) as mesh, mesh.call() as call:
        await mesh.until("turn_finished", turn="t0")
        await call.say(encode("Go."))
        await mesh.until("segment", segment="t1/s1")
        await until_heard(call, "One")
        await call.say(encode("Wait."))
        await mesh.until("turn_finished", turn="t2")
        assert "Five" not in decode(call.recording.agent)
        await mesh.store.until(lambda: "t1/s1/heard" in mesh.store.journal("call-1"))
        assert mesh.store.journal("call-1")["t1/s1/heard"].heard.heard_text_length == 0


# --------------------------------------------------------------------------- keys


async def test_keys_are_an_utterance_and_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with rig() as mesh, mesh.call() as call:
        await mesh.until("turn_finished", turn="t0")
        await call.press("4711#")
        assert (await mesh.until("dtmf"))["count"] == 4
        await mesh.until("turn_finished", turn="t1")
        said = mesh.orchestrator.all("utterance")[0].utterance
    assert (said.transcript, said.keyed, said.utterance) == ("4711", True, "u1")
    assert "4711" not in caplog.text
    assert "4711" not in str(mesh.told("dtmf"))


async def test_keys_without_a_terminator_end_by_themselves() -> None:
    async with rig(dtmf_timeout_seconds=0.05) as mesh, mesh.call() as call:
        await mesh.until("turn_finished", turn="t0")
        await call.press("42")
        await mesh.until("turn_finished", turn="t1")
        assert mesh.orchestrator.all("utterance")[0].utterance.transcript == "42"


# --------------------------------------------------------------------------- bad input


async def raw(call: PlacedCall, text: str, times: int = 1) -> None:
    for _ in range(times):
        await call.send_raw(text)


OTHER_RATE = (
    '{"kind":"AudioMetadata","audioMetadata":'
    '{"encoding":"PCM","sampleRate":24000,"channels":1,"length":960}}'
)
NOT_BASE64 = '{"kind":"AudioData","audioData":{"data":"?","silent":false}}'


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (lambda call: raw(call, "{", 51), 4400),
        (lambda call: raw(call, '{"kind":"Nonsense"}', 51), 4400),
        (lambda call: raw(call, NOT_BASE64, 51), 4400),
        (lambda call: raw(call, OTHER_RATE), 4415),
        (lambda call: raw(call, '"' + "x" * 70_000 + '"'), 1009),
        (lambda call: raw(call, '"' + "x" * 2_000_000 + '"'), 1009),
        (lambda call: call.send_raw_bytes(b"\0" * 640), 4400),
    ],
    ids=["json", "kind", "base64", "rate", "large", "huge", "binary"],
)
async def test_bad_input_closes_its_own_call_with_a_code_and_no_other(
    send: Callable[[PlacedCall], Awaitable[None]], code: int
) -> None:
    async with rig() as mesh, mesh.call("good") as good:
        async with mesh.call("bad") as bad:
            await mesh.until("turn_finished", "bad")
            await send(bad)
            assert await closed(bad) == code
            await ended(mesh, "bad")
        await good.say(encode("Hi."))
        await mesh.until("turn_finished", "good", turn="t1")
        assert decode(good.recording.agent) == "Hello.You said Hi."


async def test_a_few_bad_messages_are_passed_over() -> None:
    async with rig() as mesh, mesh.call() as call:
        await raw(call, "{", 50)
        await mesh.until("turn_finished", turn="t0")
        await call.say(encode("Hi."))
        await mesh.until("turn_finished", turn="t1")
        assert not call.closed.is_set()


async def test_a_wrong_rate_in_the_first_message_closes_the_socket() -> None:
    async with rig() as mesh, mesh.call(metadata=False) as call:
        await raw(call, OTHER_RATE)
        assert await closed(call) == 4415
        assert mesh.calls.live == []


async def test_a_socket_that_sends_no_metadata_is_closed() -> None:
    async with rig(metadata_seconds=0.1) as mesh, mesh.call(metadata=False) as call:
        assert await closed(call) == 4408
        assert mesh.calls.live == []


async def test_another_path_is_not_found() -> None:
    async with rig() as mesh:
        url = mesh.media.replace("/media/stream", "/media") + "?x=1"
        http = url.replace("ws://", "http://")
        async with mesh.client.get(http) as response:
            assert response.status == 404
            assert "/api/v1/media/stream" in await response.text()


# --------------------------------------------------------------------------- who may come in


def soon() -> int:
    return int(time.time()) + 60


async def test_with_a_key_a_signed_ticket_is_required() -> None:
    good = sign_ticket(KEY, "call-1", "claims", soon())
    other = sign_ticket(KEY, "call-2", "claims", soon())
    async with rig(media_key=KEY) as mesh:
        for query in ("", "?ticket=nonsense", f"?ticket={other}", f"?scenario=x&ticket={good}"):
            async with mesh.call(query=query) as call:
                assert await closed(call) == 4001, query
        assert mesh.calls.live == []
        async with mesh.call(query=f"?ticket={good}"):
            await mesh.until("turn_finished", turn="t0")
        assert mesh.orchestrator.said[0].start.scenario == "scenarios/claims"


async def test_a_call_belongs_to_the_tenant_of_its_ticket_or_else_of_the_deployment() -> None:
    def ticket(session: str, tenant: str = "") -> str:
        return f"?ticket={sign_ticket(KEY, session, 'claims', soon(), tenant)}"

    async with rig(media_key=KEY, tenant="south") as mesh:
        async with mesh.call("one", query=ticket("one", "north")):
            await mesh.until("turn_finished", "one", turn="t0")
            async with mesh.call("one", query=ticket("*", "east")) as intruder:
                assert await closed(intruder) == 4001
            assert len(mesh.calls.live) == 1
        async with mesh.call("two", query=ticket("two")):
            await mesh.until("turn_finished", "two", turn="t0")
        tenants = {name: kept.tenant for name, kept in mesh.store.sessions.items()}
        assert tenants == {"sessions/one": "north", "sessions/two": "south"}


async def test_a_session_of_another_tenant_is_not_opened_again() -> None:
    any_of = {
        tenant: f"?ticket={sign_ticket(KEY, '*', 'claims', soon(), tenant)}"
        for tenant in ("north", "east")
    }
    async with rig(media_key=KEY) as mesh:
        for name in ("sessions/one", "sessions/two"):
            mesh.store.sessions[name] = StoredSession("scenarios/claims", "north")
        async with mesh.call("one", query=any_of["east"]) as intruder:
            assert await closed(intruder) == 4001
        assert mesh.orchestrator.said == []
        async with mesh.call("two", query=any_of["north"]):
            await mesh.until("turn_finished", "two", turn="t0")


async def test_the_scenario_of_the_url_is_used_where_no_ticket_is_asked_for() -> None:
    async with rig() as mesh, mesh.call(query="?scenario=insurance"):
        await mesh.until("turn_finished", turn="t0")
        assert mesh.store.sessions["sessions/call-1"].scenario == "scenarios/insurance"


async def test_a_browser_page_of_elsewhere_may_not_dial_an_open_gateway() -> None:
    origin = "https://example.com"
    async with rig() as mesh, mesh.client.ws_connect(mesh.media, origin=origin) as socket:
        await socket.receive()
        assert socket.close_code == 4001


async def test_one_call_too_many_is_told_to_try_again() -> None:
    async with rig(max_calls=1) as mesh, mesh.call("one"):
        await mesh.until("turn_finished", "one")
        async with mesh.call("two") as two:
            assert await closed(two) == 1013


async def test_a_draining_gateway_takes_no_call_and_lets_live_ones_finish() -> None:
    async with rig() as mesh, mesh.call("one") as one:
        await mesh.until("turn_finished", "one")
        draining = asyncio.create_task(mesh.calls.drain(30.0))
        await asyncio.sleep(0)
        async with mesh.call("two") as two:
            assert await closed(two) == 1001
        assert (await mesh.get("/readyz"))[0] == 503
        await one.say(encode("Hi."))
        await mesh.until("turn_finished", "one", turn="t1")
        assert not draining.done()
        await one.hang_up()
        await draining


async def test_a_drain_that_takes_too_long_ends_the_calls() -> None:
    async with rig() as mesh, mesh.call() as call:
        await mesh.until("turn_finished", turn="t0")
        await mesh.calls.drain(0.05)
        assert await closed(call) == 1001
        assert await ended(mesh) == "draining"
        assert mesh.store.journal("call-1")["ended"].ended.reason == "draining"


# --------------------------------------------------------------------------- a second socket


async def test_a_second_socket_takes_the_call_over_and_the_first_is_closed() -> None:
    async with rig() as mesh, mesh.call() as first:
        await mesh.until("turn_finished", turn="t0")
        await first.say(encode("Hi."))
        await mesh.until("turn_finished", turn="t1")
        await mesh.store.until(lambda: "t1/s0/heard" in mesh.store.journal("call-1"))
        async with mesh.call() as second:
            assert await closed(first) == 4409
            await mesh.orchestrator.until("start", 2)
            await second.say(encode("Yes."))
            said = (await mesh.orchestrator.until("utterance", 2)).utterance
            await mesh.until("turn_finished", turn="t1")
    assert said.utterance == "u2"
    assert [r.start.owner_epoch for r in mesh.orchestrator.all("start")] == [1, 2]
    assert "Hello." not in decode(second.recording.agent)  # t0/s0 was played on the first


async def test_a_call_that_is_too_long_is_ended_with_a_word() -> None:
    async with rig(OrchestratorScript(greeting=""), max_call_seconds=0.3) as mesh:
        async with mesh.call() as call:
            assert await closed(call) == 1000
            assert await ended(mesh) == "max_length"
        assert decode(call.recording.agent) == notices.TIME_LIMIT


# --------------------------------------------------------------------------- no room


async def test_a_call_that_cannot_be_heard_is_refused_in_words() -> None:
    speech = {"recognizer_warm": 1, "recognizer_max": 1}
    async with rig(speech=speech) as mesh, mesh.call("one"):
        await mesh.until("turn_finished", "one")
        async with mesh.call("two") as two:
            assert await closed(two) == 1000
            assert await ended(mesh, "two") == "no_capacity"
        assert decode(two.recording.agent) == notices.REFUSAL
        assert mesh.told("error", "two")[0]["reason"] == "POOL_EXHAUSTED"


async def test_a_call_that_cannot_be_spoken_to_is_closed_with_try_again() -> None:
    speech = {"synthesizer_warm": 1, "synthesizer_max": 1}
    async with rig(speech=speech) as mesh, mesh.call("one"):
        await mesh.until("turn_finished", "one")
        async with mesh.call("two") as two:
            assert await closed(two) == 1013
            assert await ended(mesh, "two") == "no_capacity"


# --------------------------------------------------------------------------- a service is lost


async def test_a_lost_orchestrator_is_told_in_words_and_the_call_ends() -> None:
    async with rig() as mesh, mesh.call() as call:
        await mesh.until("turn_finished", turn="t0")
        await mesh.servers["orchestrator"].stop()
        error = await mesh.until("error")
        assert (error["reason"], error["message"].split(":")[0]) == (
            "PEER_UNREACHABLE",
            "orchestrator",
        )
        assert await closed(call) == 1011
        assert await ended(mesh) == "service_lost"
        assert decode(call.recording.agent) == "Hello." + notices.APOLOGY
        assert held(mesh) == 0


async def test_an_orchestrator_that_falls_silent_is_lost_within_three_heartbeats() -> None:
    script = OrchestratorScript(falls_silent_on="Hi.", heartbeat=0.1)
    speech = {"heartbeat_seconds": 0.1}
    async with rig(script, speech=speech, heartbeat_seconds=0.1) as mesh, mesh.call() as call:
        await mesh.until("turn_finished", turn="t0")
        await call.say(encode("Hi."))
        began = time.monotonic()
        error = await mesh.until("error")
        assert time.monotonic() - began < 1.5
        assert "silent" in error["message"]
        assert await ended(mesh) == "service_lost"


async def test_a_lost_speech_pool_ends_the_call_without_a_hang() -> None:
    async with rig() as mesh, mesh.call() as call:
        await mesh.until("turn_finished", turn="t0")
        await mesh.servers["speech-pool"].stop()
        assert await closed(call) == 1011
        assert await ended(mesh) == "service_lost"
        assert mesh.told("error")[0]["message"].startswith("speech-pool")


async def test_an_engine_that_dies_ends_the_call_with_a_reason() -> None:
    async with rig(engine=Script(die_after_seconds=2.0)) as mesh, mesh.call() as call:
        assert await closed(call) == 1011
        assert await ended(mesh) == "service_lost"
        assert mesh.told("error")[0]["reason"] == "PROVIDER_UNAVAILABLE"


async def test_a_store_that_cannot_be_reached_refuses_a_new_call_in_words() -> None:
    async with rig(session_store_target=NOWHERE) as mesh, mesh.call() as call:
        assert await closed(call) == 1011
        assert await ended(mesh) == "service_lost"
        assert mesh.told("error")[0]["message"].startswith("session-store")
        assert decode(call.recording.agent) == notices.APOLOGY


async def test_a_store_that_is_lost_during_a_call_is_told_and_the_call_goes_on() -> None:
    async with rig() as mesh, mesh.call() as call:
        await mesh.until("turn_finished", turn="t0")
        mesh.store.fail = MeshError(Reason.STORE_UNAVAILABLE, "told to fail")
        await call.say(encode("Hi."))
        await mesh.until("error", reason="STORE_UNAVAILABLE")
        await mesh.until("turn_finished", turn="t1")
        mesh.store.fail = None
        await mesh.store.until(lambda: "t1/s0/heard" in mesh.store.journal("call-1"))


async def test_an_orchestrator_that_refuses_says_why() -> None:
    refusal = MeshError(Reason.SCENARIO_NOT_FOUND, "no scenario of that name")
    async with rig(OrchestratorScript(refuse=refusal)) as mesh, mesh.call() as call:
        assert await closed(call) == 1011
        assert await ended(mesh) == "service_refused"
        assert mesh.told("error")[0]["reason"] == "SCENARIO_NOT_FOUND"


async def test_a_pod_that_lost_the_call_stops_and_leaves_everything_to_the_new_owner() -> None:
    async with rig(call_owner_seconds=1.0) as mesh, mesh.call() as call:
        await mesh.until("turn_finished", turn="t0")
        mesh.store.sessions["sessions/call-1"].epoch += 1
        assert await closed(call) == 4409
        assert await ended(mesh) == "taken_over"
        assert "ended" not in mesh.store.journal("call-1")
        assert mesh.orchestrator.all("call_ended") == []
        assert mesh.store.released == []


async def test_a_session_that_is_over_is_not_begun_again() -> None:
    async with rig() as mesh:
        async with mesh.call() as first:
            await mesh.until("turn_finished", turn="t0")
            await first.hang_up()
            await ended(mesh)
        async with mesh.call() as second:
            assert await closed(second) == 4400
