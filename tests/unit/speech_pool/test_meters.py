"""What the pools count, on a real pool."""

from __future__ import annotations

import pytest

from speech_pool.meters import PoolMeter, look
from tests.support.kept_metrics import kept_metrics
from tests.support.pool_factory import Factory
from warmpool import OpenFailed, PoolExhausted, PoolObserver, WarmPool


async def test_allocations_are_told_by_tier_and_opens_by_outcome() -> None:
    with kept_metrics() as kept:
        async with WarmPool(
            Factory(),
            name="recognizer",
            warm_target=1,
            max_size=1,
            observer=PoolMeter("recognizer"),
        ) as pool:
            lease = await pool.allocate("s-1")
            await pool.allocate("s-1")
            with pytest.raises(PoolExhausted):
                await pool.allocate("s-2", max_wait_seconds=0)
            look([pool.stats()])
            await pool.release(lease.lease_id)
    allocations = kept.of("voicemesh_pool_allocation_seconds")
    assert [labels["tier"] for _, labels in allocations] == ["warm", "dedicated"]
    opened = kept.of("voicemesh_pool_open_seconds")
    assert opened[0][1] == {"kind": "recognizer", "outcome": "ok"}
    assert kept.of("voicemesh_pool_refusals_total") == [(1, {"kind": "recognizer"})]
    clients = {labels["state"]: value for value, labels in kept.of("voicemesh_pool_clients")}
    assert (clients["leased"], clients["max"], clients["warm_target"]) == (1, 1, 1)
    breaker = {labels["state"]: value for value, labels in kept.of("voicemesh_pool_breaker")}
    assert breaker == {"closed": 1.0, "open": 0.0, "half_open": 0.0}
    causes = [labels["cause"] for _, labels in kept.of("voicemesh_pool_closed_total")]
    assert "other" not in causes
    assert causes


async def test_opens_that_fail_are_told() -> None:
    factory = Factory()
    factory.open_error = lambda: OSError("no route")
    with kept_metrics() as kept:
        async with WarmPool(
            factory,
            name="synthesizer",
            warm_target=0,
            max_size=1,
            observer=PoolMeter("synthesizer"),
        ) as pool:
            with pytest.raises(OpenFailed):
                await pool.allocate("s-1", max_wait_seconds=0.5)
    outcomes = {labels["outcome"] for _, labels in kept.of("voicemesh_pool_open_seconds")}
    assert outcomes == {"failed"}


async def test_who_counts_leases_still_hears_of_their_end() -> None:
    heard: list[str] = []

    class Releases(PoolObserver):
        def released(self, session: str, held_seconds: float, stock: str) -> None:
            heard.append(session)

    meter = PoolMeter("recognizer", Releases())
    async with WarmPool(
        Factory(), name="recognizer", warm_target=1, max_size=1, observer=meter
    ) as pool:
        lease = await pool.allocate("s-1")
        await pool.release(lease.lease_id)
    assert heard == ["s-1"]
