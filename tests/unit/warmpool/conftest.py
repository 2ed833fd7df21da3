"""Pools under test: a factory that does as it is told, a clock that moves when told."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.support.pool_factory import Client, Clock, Factory
from warmpool import PoolOptions, WarmPool

MakePool = Callable[..., WarmPool[Client]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def factory() -> Factory:
    return Factory()


@pytest.fixture
async def make_pool(clock: Clock, factory: Factory) -> AsyncIterator[MakePool]:
    """Makes pools on the test's clock; keywords that `PoolOptions` knows become options. Whatever a
    test does, every client that was made is closed exactly once at its end."""
    pools: list[WarmPool[Client]] = []
    factories = [factory]

    def make(of: Any = None, **settings: Any) -> WarmPool[Client]:
        known = PoolOptions.__dataclass_fields__
        options = {key: settings.pop(key) for key in list(settings) if key in known}
        settings = {"name": "p", "warm_target": 0, "max_size": 4, **settings}
        chosen = factory if of is None else of
        factories.extend(chosen.values() if isinstance(chosen, dict) else [chosen])
        pools.append(
            WarmPool(
                chosen,
                clock=clock,
                rng=random.Random(7),
                options=PoolOptions(**options),
                **settings,
            )
        )
        return pools[-1]

    yield make
    for pool in pools:
        await pool.close()
        stats = pool.stats()
        assert (stats.warm_count, stats.leased_count, stats.opening_count) == (0, 0, 0)
        assert (stats.closing_count, stats.waiting_count) == (0, 0)
    for used in factories:
        assert [client.closes for client in used.made] == [1] * len(used.made)
