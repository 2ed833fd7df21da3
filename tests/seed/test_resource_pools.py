"""The seed's resource pool samples, as written there, and what they promise."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from warmpool import AllocationTier, OnDemandResourcePool, PoolClosed, WarmableResourcePool


class TtsClient:
    """A resource as the seed knows it."""

    def __init__(self) -> None:
        self.is_ready = True
        self.in_use = False
        self.session_state: str | None = None
        self.closed = False

    def clear_session_state(self) -> None:
        self.session_state = None

    async def aclose(self) -> None:
        self.closed = True


class Maker:
    """Makes clients and remembers them."""

    def __init__(self) -> None:
        self.made: list[TtsClient] = []

    async def __call__(self) -> TtsClient:
        await asyncio.sleep(0)
        self.made.append(TtsClient())
        return self.made[-1]


@pytest.fixture
def create_tts_client() -> Maker:
    return Maker()


async def test_the_sample_runs_as_written(create_tts_client: Maker) -> None:
    session_id = "session-1"
    tts_pool = WarmableResourcePool(
        factory=create_tts_client,
        name="tts_pool",
        warm_pool_size=3,  # Pre-warm 3 clients
        enable_background_warmup=True,  # Keep pool filled
        session_awareness=True,  # Per-session caching
    )
    await tts_pool.prepare()  # Initialize and pre-warm
    pool = tts_pool

    # Session-aware acquisition (recommended)
    synth, tier = await pool.acquire_for_session(session_id)
    assert tier is AllocationTier.WARM
    again, tier = await pool.acquire_for_session(session_id)
    assert (again, tier) == (synth, AllocationTier.DEDICATED)
    await pool.release_for_session(session_id)

    # Anonymous acquisition
    synth = await pool.acquire(timeout=2.0)
    await pool.release(synth)

    await pool.shutdown()
    assert all(client.closed for client in create_tts_client.made)


async def test_the_tiers_are_those_of_the_table(create_tts_client: Maker) -> None:
    assert [tier.value for tier in AllocationTier] == ["dedicated", "warm", "cold"]
    pool = WarmableResourcePool(
        factory=create_tts_client, name="p", warm_pool_size=1, session_awareness=True
    )
    await pool.prepare()
    tiers = [(await pool.acquire_for_session(name))[1] for name in ("a", "b", "a")]
    assert tiers == [AllocationTier.WARM, AllocationTier.COLD, AllocationTier.DEDICATED]
    await pool.shutdown()


async def test_background_warmup_refills_when_a_client_is_taken(create_tts_client: Maker) -> None:
    pool = WarmableResourcePool(
        factory=create_tts_client,
        name="p",
        warm_pool_size=2,
        enable_background_warmup=True,
        session_awareness=True,
    )
    await pool.prepare()
    for turn in range(6):
        _, tier = await pool.acquire_for_session(f"s{turn}")
        assert tier is AllocationTier.WARM
        for _ in range(10):
            await asyncio.sleep(0)
    assert pool.snapshot()["warm_pool_size"] == 2
    await pool.shutdown()


async def test_without_background_warmup_the_stock_is_not_refilled(
    create_tts_client: Maker,
) -> None:
    pool = WarmableResourcePool(factory=create_tts_client, name="p", warm_pool_size=2)
    await pool.prepare()
    await pool.acquire()
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(create_tts_client.made) == 2
    await pool.shutdown()


async def test_the_snapshot_has_the_names_of_the_seed(create_tts_client: Maker) -> None:
    pool = WarmableResourcePool(
        factory=create_tts_client, name="p", warm_pool_size=2, session_awareness=True
    )
    assert pool.snapshot()["ready"] is False
    await pool.prepare()
    await pool.acquire_for_session("a")
    snapshot = pool.snapshot()
    assert snapshot["ready"] is True
    assert (snapshot["name"], snapshot["warm_pool_target"]) == ("p", 2)
    assert (snapshot["warm_pool_size"], snapshot["active_sessions"]) == (1, 1)
    assert set(snapshot) == {
        "name", "ready", "warm_pool_size", "warm_pool_target", "session_awareness",
        "active_sessions", "background_warmup", "metrics",
    }  # fmt: skip
    assert set(snapshot["metrics"]) == {
        "allocations_total", "allocations_dedicated", "allocations_warm", "allocations_cold",
        "active_sessions", "warm_pool_size", "warmup_cycles", "warmup_failures", "timestamp",
    }  # fmt: skip
    assert snapshot["metrics"]["allocations_warm"] == 1
    await pool.shutdown()


async def test_without_awareness_or_a_session_id_a_resource_is_lent_anonymously(
    create_tts_client: Maker,
) -> None:
    unaware = WarmableResourcePool(factory=create_tts_client, name="p")
    await unaware.prepare()
    one, _ = await unaware.acquire_for_session("a")
    two, _ = await unaware.acquire_for_session("a")
    assert one is not two
    assert await unaware.release_for_session("a", one) is True
    await unaware.shutdown()

    aware = WarmableResourcePool(factory=create_tts_client, name="q", session_awareness=True)
    await aware.prepare()
    lent, tier = await aware.acquire_for_session(None)
    assert tier is AllocationTier.COLD
    assert aware.active_sessions == 0
    assert await aware.release_for_session(None, lent) is True
    assert await aware.acquire() is lent
    await aware.shutdown()


async def test_a_session_state_is_cleared_before_the_next_session_gets_the_client(
    create_tts_client: Maker,
) -> None:
    pool = WarmableResourcePool(factory=create_tts_client, name="p", session_awareness=True)
    await pool.prepare()
    client, _ = await pool.acquire_for_session("a")
    client.session_state = "call-1"
    assert await pool.release_for_session("a") is True
    assert await pool.release_for_session("a") is False
    other, tier = await pool.acquire_for_session("b")
    assert other is client
    assert tier is AllocationTier.WARM
    assert other.session_state is None
    await pool.shutdown()


async def test_an_unready_client_is_replaced_in_the_session_and_never_reused(
    create_tts_client: Maker,
) -> None:
    pool = WarmableResourcePool(factory=create_tts_client, name="p", session_awareness=True)
    await pool.prepare()
    client, _ = await pool.acquire_for_session("a")
    client.is_ready = False
    fresh, tier = await pool.acquire_for_session("a")
    assert fresh is not client
    assert tier is AllocationTier.COLD
    fresh.is_ready = False
    await pool.release_for_session("a")
    assert (await pool.acquire_for_session("b"))[0] not in (client, fresh)
    await pool.shutdown()
    assert all(made.closed for made in create_tts_client.made)


async def test_acquire_honours_its_timeout() -> None:
    never: asyncio.Event = asyncio.Event()

    async def stuck() -> TtsClient:
        await never.wait()
        return TtsClient()

    pool = WarmableResourcePool(factory=stuck, name="p")
    await pool.prepare()
    with pytest.raises(TimeoutError):
        await pool.acquire(timeout=0.01)
    with pytest.raises(TimeoutError):
        await pool.acquire_for_session("a", timeout=0.01)
    await pool.shutdown()


async def test_a_pool_serves_only_between_prepare_and_shutdown_and_may_begin_again(
    create_tts_client: Maker,
) -> None:
    pool = WarmableResourcePool(factory=create_tts_client, name="p", warm_pool_size=1)
    with pytest.raises(PoolClosed):
        await pool.acquire()
    await pool.prepare()
    held = await pool.acquire()
    await pool.shutdown()
    with pytest.raises(PoolClosed):
        await pool.acquire()
    await pool.release(held)
    await pool.prepare()
    assert await pool.acquire() is not held
    await pool.shutdown()


async def test_a_warm_function_that_fails_leaves_the_pool_not_ready() -> None:
    answers: list[Any] = [False, RuntimeError("no network"), False]

    async def warm(client: TtsClient) -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    maker = Maker()
    pool = WarmableResourcePool(factory=maker, name="p", warm_pool_size=1, warm_fn=warm)
    await pool.prepare()
    snapshot = pool.snapshot()
    assert snapshot["ready"] is False
    assert snapshot["metrics"]["warmup_failures"] >= 1
    assert snapshot["warm_pool_size"] == 0
    await pool.shutdown()
    assert all(made.closed for made in maker.made)


async def test_on_demand_lends_cold_keeps_for_the_session_and_closes_on_release(
    create_tts_client: Maker,
) -> None:
    pool = OnDemandResourcePool(factory=create_tts_client, session_awareness=True, name="od")
    client, tier = await pool.acquire_for_session("a")
    assert tier is AllocationTier.COLD
    assert await pool.acquire_for_session("a") == (client, AllocationTier.DEDICATED)
    assert pool.snapshot()["metrics"]["allocations_cached"] == 1
    assert pool.snapshot()["metrics"]["allocations_new"] == 1
    assert await pool.release_for_session("a") is True
    other, tier = await pool.acquire_for_session("b")
    assert other is not client
    assert tier is AllocationTier.COLD
    await pool.shutdown()
    assert all(made.closed for made in create_tts_client.made)
    with pytest.raises(PoolClosed):
        await pool.acquire()


async def test_on_demand_sessions_are_opened_side_by_side_and_once_each() -> None:
    gate = asyncio.Event()
    opening = 0

    async def slow() -> TtsClient:
        nonlocal opening
        opening += 1
        await gate.wait()
        return TtsClient()

    pool = OnDemandResourcePool(factory=slow, session_awareness=True, name="od")
    asks = [asyncio.create_task(pool.acquire_for_session(name)) for name in ("a", "a", "b")]
    for _ in range(10):
        await asyncio.sleep(0)
    assert opening == 2
    gate.set()
    (one, _), (two, _), (three, _) = await asyncio.gather(*asks)
    assert one is two
    assert three is not one
    await pool.shutdown()
