"""The speech-pool's two services over a real channel, on the scripted engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from meshkit.errors import MeshError, Reason
from meshkit.streams import ClientStream
from tests.support.scripted_engine import Script
from tests.support.speech_pod import (
    COLD,
    DEDICATED,
    PCM16,
    RECOGNIZER,
    SYNTHESIZER,
    WARM,
    Pod,
    raises,
    running,
    seconds,
)
from tests.support.tonetext import decode, encode
from voicemesh.speech.v1 import speech_event_pb2 as event_pb
from voicemesh.speech.v1 import speech_pb2
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from voicemesh.speech.v1.speech_pool_pb2_grpc import SpeechPoolServiceStub


@pytest.fixture
async def pod() -> AsyncIterator[Pod]:
    async with running() as pod:
        yield pod


# --------------------------------------------------------------------------- leases


async def test_the_first_is_warm_the_next_is_dedicated_and_the_same_lease(pod: Pod) -> None:
    first = await pod.allocate()
    second = await pod.allocate()
    assert (first.tier, second.tier) == (WARM, DEDICATED)
    assert first.name == second.name
    assert first.name.startswith("sessions/a/leases/")
    assert first.address == pod.address


async def test_kinds_have_pools_of_their_own(pod: Pod) -> None:
    hears, speaks = await pod.allocate(kind=RECOGNIZER), await pod.allocate(kind=SYNTHESIZER)
    assert hears.tier == speaks.tier == WARM
    assert hears.name != speaks.name


async def test_past_the_warm_stock_it_is_cold_and_the_tier_says_so() -> None:
    async with running(Script(open_delay_seconds=0.02), recognizer_warm=1) as pod:
        tiers = [
            lease.tier for lease in await asyncio.gather(*(pod.allocate(f"s{i}") for i in range(3)))
        ]
    assert sorted(tiers) == [WARM, COLD, COLD]


async def test_a_retry_with_the_same_request_id_orphans_no_lease(pod: Pod) -> None:
    first = await pod.allocate(request_id="once")
    again = await pod.allocate(request_id="once")
    assert first.name == again.name
    assert (await pod.stats(RECOGNIZER)).leased_count == 1


async def test_full_is_an_answer_with_a_hint() -> None:
    async with running(recognizer_warm=1, recognizer_max=1) as pod:
        await pod.allocate("a")
        with pytest.raises(MeshError) as caught:
            await pod.allocate("b", max_wait=seconds(0))
        assert caught.value.is_reason(Reason.POOL_EXHAUSTED)
        assert caught.value.retry_after_seconds is not None


async def test_who_waits_is_served_when_another_ends() -> None:
    async with running(recognizer_warm=1, recognizer_max=1) as pod:
        first = await pod.allocate("a")
        waiting = asyncio.create_task(pod.allocate("b", max_wait=seconds(4)))
        while not (await pod.stats(RECOGNIZER)).waiting_count:
            await asyncio.sleep(0)
        await pod.release(first.name)
        assert (await waiting).name.startswith("sessions/b/leases/")


async def test_a_caller_whose_deadline_comes_is_answered_not_left_hanging() -> None:
    async with running(recognizer_warm=1, recognizer_max=1) as pod:
        await pod.allocate("a")
        async with raises(Reason.POOL_EXHAUSTED):
            await pod.allocate("b", timeout=0.3)


async def test_an_allowed_tier_that_cannot_be_had() -> None:
    async with running(recognizer_warm=0) as pod, raises(Reason.TIER_UNAVAILABLE):
        await pod.allocate(allowed_tiers=[WARM], max_wait=seconds(0))


async def test_a_draining_pod_grants_nothing_new(pod: Pod) -> None:
    await pod.pools.drain()
    async with raises(Reason.POD_DRAINING):
        await pod.allocate()


async def test_a_provider_that_cannot_be_opened() -> None:
    script = Script(fail_opens=tuple(range(1, 100)))
    async with running(script, recognizer_warm=0) as pod:
        with pytest.raises(MeshError) as caught:
            await pod.allocate()
        assert caught.value.is_reason(Reason.PROVIDER_UNAVAILABLE)


@pytest.mark.parametrize("kind", [0, pb.CLIENT_KIND_REALTIME, 77])
async def test_a_kind_that_is_not_served(pod: Pod, kind: int) -> None:
    async with raises(Reason.CLIENT_KIND_UNSUPPORTED):
        await pod.allocate(kind=kind)


@pytest.mark.parametrize("ttl", [0.0, 0.5, 601.0, 365 * 86400.0])
async def test_a_time_to_live_out_of_range(pod: Pod, ttl: float) -> None:
    async with raises(Reason.TTL_OUT_OF_RANGE):
        await pod.allocate(ttl=seconds(ttl))
    lease = await pod.allocate()
    async with raises(Reason.TTL_OUT_OF_RANGE):
        await pod.unary("RenewLease", pb.RenewLeaseRequest(name=lease.name, ttl=seconds(ttl)))


async def test_requests_without_what_they_need(pod: Pod) -> None:
    async with raises(Reason.NAME_MALFORMED):
        await pod.allocate("a/b")
    async with raises(Reason.ARGUMENT_INVALID):
        await pod.allocate(request_id="")
    async with raises(Reason.ARGUMENT_INVALID):
        await pod.allocate(allowed_tiers=[pb.ALLOCATION_TIER_UNSPECIFIED])
    async with raises(Reason.ARGUMENT_INVALID):
        await pod.allocate(max_wait=seconds(-1))


async def test_renewing_moves_the_expiry(pod: Pod) -> None:
    lease = await pod.allocate(ttl=seconds(5))
    renewed = await pod.unary("RenewLease", pb.RenewLeaseRequest(name=lease.name, ttl=seconds(60)))
    moved = renewed.lease.expire_time.ToDatetime() - lease.expire_time.ToDatetime()
    assert 50 < moved.total_seconds() < 60


async def test_a_lease_is_for_its_session_only(pod: Pod) -> None:
    lease = await pod.allocate("a")
    stolen = lease.name.replace("sessions/a", "sessions/b")
    async with raises(Reason.LEASE_NOT_OWNED):
        await pod.unary("RenewLease", pb.RenewLeaseRequest(name=stolen))
    async with raises(Reason.LEASE_NOT_OWNED):
        await pod.release(stolen)
    assert (await pod.allocate("a")).tier == DEDICATED


async def test_a_released_lease_is_gone_and_releasing_it_again_succeeds(pod: Pod) -> None:
    lease = await pod.allocate()
    await pod.release(lease.name)
    await pod.release(lease.name)
    async with raises(Reason.LEASE_NOT_FOUND):
        await pod.unary("RenewLease", pb.RenewLeaseRequest(name=lease.name))


async def test_stats_add_up(pod: Pod) -> None:
    await pod.allocate("a")
    await pod.allocate("a")
    await pod.allocate("b")
    stats = await pod.stats(RECOGNIZER)
    assert {t.tier: t.count for t in stats.tier_counts if t.count} == {WARM: 2, DEDICATED: 1}
    assert (stats.leased_count, stats.waiting_count) == (2, 0)
    assert stats.breaker_state == pb.BREAKER_STATE_CLOSED
    assert (stats.warm_target, stats.max_size) == (2, 16)


# --------------------------------------------------------------------------- hearing


def heard_config(lease: str, **more: Any) -> Any:
    more.setdefault("audio_format", PCM16)
    config = event_pb.RecognitionConfig(lease=lease, interim_results=True, **more)
    return speech_pb2.StreamingRecognizeRequest(config=config)


def audio(pcm: bytes) -> Any:
    return speech_pb2.StreamingRecognizeRequest(audio=pcm)


async def say(stream: ClientStream[Any, Any], text: str) -> None:
    pcm = encode(text)
    for start in range(0, len(pcm), 640):
        await stream.send(audio(pcm[start : start + 640]))


async def everything(stream: ClientStream[Any, Any]) -> list[Any]:
    received = []
    while (message := await stream.receive()) is not None:
        received.append(message)
    return received


async def test_speech_activity_interims_and_one_final(pod: Pod) -> None:
    lease = await pod.allocate()
    async with pod.recognize() as stream:
        await stream.send(heard_config(lease.name, first_sample=1600))
        await say(stream, "my balance please")
        await stream.half_close()
        events = await everything(stream)
    kinds = [e.speech_activity.kind for e in events if e.HasField("speech_activity")]
    assert kinds[0] == event_pb.SpeechActivity.KIND_BEGIN
    results = [e.result for e in events if e.HasField("result")]
    assert [r.transcript for r in results if r.is_final] == ["my balance please"]
    assert any(not r.is_final for r in results)
    assert results[-1].is_final
    assert results[-1].start_sample >= 1600
    assert results[-1].end_sample > results[-1].start_sample


async def test_a_flush_ends_the_utterance_at_once(pod: Pod) -> None:
    lease = await pod.allocate()
    async with pod.recognize() as stream:
        await stream.send(heard_config(lease.name))
        pcm = encode("so far", end=False)
        await stream.send(audio(pcm[: 15 * 1024 // 2 * 2]))
        await stream.send(speech_pb2.StreamingRecognizeRequest(flush=event_pb.RecognitionFlush()))
        while not (message := await stream.receive()).result.is_final:
            pass
        assert message.result.transcript


async def test_the_next_stream_on_a_lease_finds_the_client_again(pod: Pod) -> None:
    lease = await pod.allocate()
    for text in ("one", "two"):
        async with pod.recognize() as stream:
            await stream.send(heard_config(lease.name))
            await say(stream, text)
            await stream.half_close()
            finals = [e.result.transcript for e in await everything(stream) if e.result.is_final]
        assert finals == [text]


BAD_AUDIO = {
    "half a sample": (b"\0" * 641, Reason.AUDIO_MALFORMED),
    "too large": (b"\0" * (15 * 1024 + 2), Reason.AUDIO_MALFORMED),
}


@pytest.mark.parametrize(("pcm", "reason"), BAD_AUDIO.values(), ids=BAD_AUDIO.keys())
async def test_malformed_audio_ends_the_stream_with_its_reason(
    pod: Pod, pcm: bytes, reason: Reason
) -> None:
    lease = await pod.allocate()
    async with pod.recognize() as stream:
        await stream.send(heard_config(lease.name))
        await stream.send(audio(pcm))
        async with raises(reason):
            await everything(stream)
    assert (await pod.allocate()).tier == DEDICATED


@pytest.mark.parametrize(
    "audio_format",
    [
        event_pb.AudioFormat(encoding=event_pb.AUDIO_ENCODING_MULAW, sample_rate_hertz=8000),
        event_pb.AudioFormat(encoding=event_pb.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=44100),
        event_pb.AudioFormat(),
    ],
)
async def test_audio_of_the_wrong_format(pod: Pod, audio_format: event_pb.AudioFormat) -> None:
    hears, speaks = await pod.allocate(), await pod.allocate(kind=SYNTHESIZER)
    async with pod.recognize() as stream:
        await stream.send(heard_config(hears.name, audio_format=audio_format))
        async with raises(Reason.AUDIO_FORMAT_UNSUPPORTED):
            await stream.receive()
    async with pod.synthesize() as stream:
        await stream.send(spoken_config(speaks.name, audio_format=audio_format))
        async with raises(Reason.AUDIO_FORMAT_UNSUPPORTED):
            await stream.receive()


async def test_audio_before_the_config(pod: Pod) -> None:
    async with pod.recognize() as stream:
        await stream.send(audio(bytes(640)))
        async with raises(Reason.STREAM_CONFIG_MISSING):
            await stream.receive()
    async with pod.recognize() as stream:
        await stream.half_close()
        async with raises(Reason.STREAM_CONFIG_MISSING):
            await stream.receive()


async def test_tuning_out_of_range_and_a_second_config(pod: Pod) -> None:
    lease = await pod.allocate()
    tuning = event_pb.RecognitionTuning(endpointing_silence=seconds(60))
    async with pod.recognize() as stream:
        await stream.send(heard_config(lease.name, tuning=tuning))
        async with raises(Reason.ARGUMENT_INVALID):
            await stream.receive()
    async with pod.recognize() as stream:
        await stream.send(heard_config(lease.name))
        await stream.send(heard_config(lease.name))
        async with raises(Reason.ARGUMENT_INVALID):
            await everything(stream)


async def test_a_second_stream_on_a_lease(pod: Pod) -> None:
    lease = await pod.allocate()
    async with pod.recognize() as first:
        await first.send(heard_config(lease.name))
        await say(first, "x")
        while (await first.receive()).WhichOneof("event") is None:
            pass
        async with pod.recognize() as second:
            await second.send(heard_config(lease.name))
            async with raises(Reason.LEASE_IN_USE):
                await second.receive()


async def test_streams_on_leases_that_are_not_ours(pod: Pod) -> None:
    lease = await pod.allocate("a")
    wrong = {
        lease.name.replace("sessions/a", "sessions/b"): Reason.LEASE_NOT_OWNED,
        "sessions/a/leases/unknown": Reason.LEASE_NOT_FOUND,
        "leases/1": Reason.NAME_MALFORMED,
        (await pod.allocate("a", SYNTHESIZER)).name: Reason.CLIENT_KIND_MISMATCH,
    }
    for name, reason in wrong.items():
        async with pod.recognize() as stream:
            await stream.send(heard_config(name))
            async with raises(reason):
                await stream.receive()


async def test_releasing_a_lease_ends_its_stream(pod: Pod) -> None:
    lease = await pod.allocate()
    async with pod.recognize() as stream:
        await stream.send(heard_config(lease.name))
        await say(stream, "x")
        await stream.receive()
        await pod.release(lease.name)
        async with raises(Reason.LEASE_NOT_FOUND):
            await everything(stream)
    assert (await pod.stats(RECOGNIZER)).leased_count == 0


async def test_an_engine_that_dies_is_said_and_its_client_is_not_used_again() -> None:
    async with running(Script(die_after_seconds=0.1), recognizer_warm=1) as pod:
        lease = await pod.allocate()
        async with pod.recognize() as stream:
            await stream.send(heard_config(lease.name))
            reading = asyncio.create_task(everything(stream))
            with pytest.raises(MeshError):
                while True:
                    await say(stream, "words that are never heard")
            with pytest.raises(MeshError) as caught:
                await reading
        assert caught.value.is_reason(Reason.PROVIDER_UNAVAILABLE)
        assert sum((await pod.stats(RECOGNIZER)).discarded_counts.values()) == 1


# --------------------------------------------------------------------------- speaking


def spoken_config(lease: str, **more: Any) -> Any:
    more.setdefault("audio_format", PCM16)
    return speech_pb2.StreamingSynthesizeRequest(
        config=event_pb.SynthesisConfig(lease=lease, **more)
    )


def segment(name: str, text: str, **more: Any) -> Any:
    spoken = event_pb.SynthesisSegment(segment=name, text=text, **more)
    return speech_pb2.StreamingSynthesizeRequest(segment=spoken)


async def test_segments_are_spoken_in_order_as_they_come(pod: Pod) -> None:
    lease = await pod.allocate(kind=SYNTHESIZER)
    async with pod.synthesize() as stream:
        await stream.send(spoken_config(lease.name))
        await stream.send(segment("t1/s0", "Certainly."))
        await stream.send(segment("t1/s1", "Your balance is 25 dollars."))
        await stream.half_close()
        events = await everything(stream)
    spoken = dict.fromkeys(("t1/s0", "t1/s1"), b"")
    for event in events:
        spoken[event.audio.segment or "t1/s0"] += event.audio.audio
    assert [decode(pcm) for pcm in spoken.values()] == ["Certainly.", "Your balance is 25 dollars."]
    completed = [e.segment_completed for e in events if e.HasField("segment_completed")]
    assert [(c.segment, c.cancelled) for c in completed] == [("t1/s0", False), ("t1/s1", False)]
    assert [c.sample_count * 2 for c in completed] == [len(pcm) for pcm in spoken.values()]
    assert all(len(e.audio.audio) <= 15 * 1024 for e in events)
    assert any(e.HasField("word_boundary") for e in events)


async def test_speaking_from_the_first_word_not_heard(pod: Pod) -> None:
    lease = await pod.allocate(kind=SYNTHESIZER)
    async with pod.synthesize() as stream:
        await stream.send(spoken_config(lease.name))
        await stream.send(segment("t1/s0", "Your balance is low.", start_offset=13))
        await stream.half_close()
        pcm = b"".join(e.audio.audio for e in await everything(stream))
    assert decode(pcm) == "is low."


async def test_barge_in_cancels_what_is_spoken_and_what_waits() -> None:
    """The segment hangs after some audio, so that it is being spoken when the cancel comes."""
    async with running(Script(hang_after_seconds=0.5)) as pod:
        lease = await pod.allocate(kind=SYNTHESIZER)
        async with pod.synthesize() as stream:
            await stream.send(spoken_config(lease.name))
            await stream.send(segment("t1/s0", "A long sentence that is cut off."))
            await stream.send(segment("t1/s1", "Never said."))
            while not (await stream.receive()).HasField("audio"):
                pass
            cancel = speech_pb2.StreamingSynthesizeRequest(cancel=event_pb.SynthesisCancel())
            await stream.send(cancel)
            completed = {}
            while len(completed) < 2:
                done = (await stream.receive()).segment_completed
                if done.segment:
                    completed[done.segment] = done
        assert completed["t1/s0"].cancelled
        assert completed["t1/s0"].sample_count > 0
        assert completed["t1/s1"].cancelled
        assert completed["t1/s1"].sample_count == 0


async def test_only_the_named_segments_are_cancelled(pod: Pod) -> None:
    lease = await pod.allocate(kind=SYNTHESIZER)
    async with pod.synthesize() as stream:
        await stream.send(spoken_config(lease.name))
        for k in range(3):
            await stream.send(segment(f"t1/s{k}", f"Sentence number {k}."))
        cancel = event_pb.SynthesisCancel(segments=["t1/s9"])
        await stream.send(speech_pb2.StreamingSynthesizeRequest(cancel=cancel))
        await stream.half_close()
        done = [
            e.segment_completed for e in await everything(stream) if e.HasField("segment_completed")
        ]
    assert [(d.segment, d.cancelled) for d in done] == [(f"t1/s{k}", False) for k in range(3)]


BAD_TEXT = {
    "empty": ("", {}, Reason.TEXT_INVALID),
    "blank": ("  \n", {}, Reason.TEXT_INVALID),
    "1 MB": ("a" * (1 << 20), {}, None),
    "4097 code points": ("ä" * 4097, {}, Reason.TEXT_INVALID),
    "unknown voice": ("Hello.", {"voice": event_pb.Voice(name="nobody")}, Reason.VOICE_NOT_FOUND),
    "unreadable rate": ("Hello.", {"voice": event_pb.Voice(rate="fast")}, Reason.ARGUMENT_INVALID),
    "offset past the end": ("Hello.", {"start_offset": 7}, Reason.ARGUMENT_INVALID),
}


@pytest.mark.parametrize(("text", "more", "reason"), BAD_TEXT.values(), ids=BAD_TEXT.keys())
async def test_bad_segments(
    pod: Pod, text: str, more: dict[str, Any], reason: Reason | None
) -> None:
    lease = await pod.allocate(kind=SYNTHESIZER)
    async with pod.synthesize() as stream:
        await stream.send(spoken_config(lease.name))
        with pytest.raises(MeshError) as caught:
            await stream.send(segment("t1/s0", text, **more))
            await everything(stream)
    if reason is not None:
        assert caught.value.is_reason(reason)
    else:  # past the largest message that gRPC takes
        assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await pod.allocate(kind=SYNTHESIZER)).tier == DEDICATED


async def test_an_unknown_voice_of_the_stream(pod: Pod) -> None:
    lease = await pod.allocate(kind=SYNTHESIZER)
    async with pod.synthesize() as stream:
        await stream.send(spoken_config(lease.name, voice=event_pb.Voice(name="nobody")))
        async with raises(Reason.VOICE_NOT_FOUND):
            await stream.receive()


async def test_markup_is_spoken_not_obeyed(pod: Pod) -> None:
    text = 'Tom & "Jerry" <break time="9s"/>'
    lease = await pod.allocate(kind=SYNTHESIZER)
    async with pod.synthesize() as stream:
        await stream.send(spoken_config(lease.name))
        await stream.send(segment("t1/s0", text))
        await stream.half_close()
        pcm = b"".join(e.audio.audio for e in await everything(stream))
    assert decode(pcm) == text


# --------------------------------------------------------------------------- watching


def watching(pod: Pod, **more: Any) -> ClientStream[Any, Any]:
    call = pod.fleet.stub(SpeechPoolServiceStub, pod.address).WatchPools(
        pb.WatchPoolsRequest(**more)
    )
    return ClientStream(call, pb.WatchPoolsRequest, interval=0.25)


async def test_the_pools_are_told_at_once_and_when_they_change(pod: Pod) -> None:
    async with watching(pod, min_interval=seconds(0.1)) as stream:
        first = (await stream.receive()).stats
        assert {pool.client_kind for pool in first.pools} == {RECOGNIZER, SYNTHESIZER}
        await pod.allocate("a")
        leased = 0
        while leased != 1:
            changed = (await stream.receive()).stats
            leased = next(p.leased_count for p in changed.pools if p.client_kind == RECOGNIZER)


async def test_the_heartbeats_between_tell_the_pods_load(pod: Pod) -> None:
    await pod.allocate("a")
    await pod.pools.drain()
    call = pod.fleet.stub(SpeechPoolServiceStub, pod.address).WatchPools(pb.WatchPoolsRequest())
    while not (message := await call.read()).HasField("heartbeat"):
        pass
    load = message.heartbeat.load
    assert (load.used, load.max, load.draining) == (1, 32, True)
    call.cancel()


async def test_an_interval_out_of_range(pod: Pod) -> None:
    async with watching(pod, min_interval=seconds(0.01)) as stream:
        async with raises(Reason.ARGUMENT_INVALID):
            await stream.receive()
