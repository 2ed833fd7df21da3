"""The provider's limits bind all pods together, and never outlive the leases that they count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from meshkit.errors import MeshError, Reason
from session_store.settings import QuotaLimit
from tests.support.scripted_engine import Script
from tests.support.speech_pod import DEDICATED, SYNTHESIZER, Pod, raises, running, seconds
from tests.support.store import RunningStore, running_store

QUOTA = "quotas/recognitions"
LIMIT = 2


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RunningStore]:
    async with running_store(tmp_path, quotas={"recognitions": QuotaLimit(limit=LIMIT)}) as store:
        yield store


def counted(store: RunningStore, script: Script | None = None, **settings: Any) -> Any:
    target = f"static:{store.address}"
    return running(script, session_store_target=target, recognizer_quota=QUOTA, **settings)


async def out(store: RunningStore) -> int:
    return int(await store.hot.command("HGET", "voicemesh:{quotas}:counts", "recognitions") or 0)


async def until_out(store: RunningStore, wanted: int) -> None:
    async with asyncio.timeout(5):
        while await out(store) != wanted:
            pass


async def test_two_pods_share_one_limit(store: RunningStore) -> None:
    async with counted(store) as one, counted(store) as other:
        await one.allocate("a")
        await other.allocate("b")
        with pytest.raises(MeshError) as caught:
            await one.allocate("c")
        assert caught.value.is_reason(Reason.QUOTA_EXHAUSTED)
        assert caught.value.retry_after_seconds
        assert (await one.stats(1)).leased_count == 1


async def test_a_lease_that_ends_lets_the_next_in(store: RunningStore) -> None:
    async with counted(store) as pod:
        leases = [await pod.allocate(session) for session in "ab"]
        await pod.release(leases[0].name)
        await until_out(store, 1)
        await pod.allocate("c")


async def test_a_lease_that_expires_gives_its_token_back(store: RunningStore) -> None:
    async with counted(store) as pod:
        await pod.allocate("a", ttl=seconds(1))
        assert await out(store) == 1
        await until_out(store, 0)


async def test_a_session_counts_once(store: RunningStore) -> None:
    async with counted(store) as pod:
        await pod.allocate("a")
        assert (await pod.allocate("a")).tier == DEDICATED
        assert await out(store) == 1


async def test_a_refused_allocation_gives_its_token_back(store: RunningStore) -> None:
    script = Script(fail_opens=tuple(range(1, 50)))
    async with counted(store, script, recognizer_warm=0) as pod:
        async with raises(Reason.PROVIDER_UNAVAILABLE):
            await pod.allocate("a")
        await until_out(store, 0)


async def test_a_pod_that_ends_gives_all_back(store: RunningStore) -> None:
    async with counted(store) as pod:
        await pod.allocate("a")
        await pod.allocate("b")
    assert await out(store) == 0


async def test_only_the_kinds_that_have_a_quota_are_counted(store: RunningStore) -> None:
    async with counted(store) as pod:
        for session in "abc":
            await pod.allocate(session, SYNTHESIZER)
        assert await out(store) == 0


async def test_a_store_that_is_away_refuses_nobody() -> None:
    nowhere = {"session_store_target": "static:127.0.0.1:1", "recognizer_quota": QUOTA}
    async with running(**nowhere) as pod:
        for session in "abc":
            await pod.allocate(session)


async def test_a_quota_that_is_not_set_is_named(store: RunningStore) -> None:
    target = f"static:{store.address}"
    async with running(session_store_target=target, recognizer_quota="quotas/unknown") as pod:
        with pytest.raises(MeshError, match="unknown"):
            await pod.allocate("a")


async def test_calls_without_a_quota_never_ask_the_store(pod_without: Pod) -> None:
    await pod_without.allocate("a")


@pytest.fixture
async def pod_without() -> AsyncIterator[Pod]:
    async with running(session_store_target="static:127.0.0.1:1") as pod:
        yield pod
