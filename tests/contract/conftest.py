"""What the session-store's contract runs on: one server, and in the slow suite three other kinds.

A cluster; a Redis over TLS with a replica; and a server that has all in memory and keeps nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from memory.embedded import EmbeddedValkey
from memory.hotstore import HotStore
from tests.support.redis_tls import follow, replicated_redis_over_tls
from tests.support.store import Servers
from tests.support.valkey_cluster import valkey_cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster_urls(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[str]]:
    """The nodes of one cluster for all tests, because it takes seconds to become whole."""
    async with valkey_cluster(tmp_path_factory.mktemp("cluster")) as nodes:
        yield [node.url for node in nodes]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tls_servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """A Redis over TLS whose durable writes are those that its replica has."""
    folder = tmp_path_factory.mktemp("tls")
    async with replicated_redis_over_tls(folder) as (primary, replica):

        async def followed() -> None:
            await follow(primary, replica)

        async def alone(_: Sequence[HotStore]) -> None:
            async with HotStore(replica.plain.url) as admin:
                await admin.command("REPLICAOF", "NO", "ONE")

        told = {"redis_tls_ca": primary.files.ca, "store_durability": "replica"}
        yield Servers([primary.url], told, [primary.plain.url], followed, alone)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def memory_servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """A server without a disk, whose deployment says that it accepts the loss."""
    folder = tmp_path_factory.mktemp("memory")

    async def promised(_: Sequence[HotStore]) -> None:
        pytest.skip("of a store in memory a durable write promises nothing")

    async with EmbeddedValkey(folder, options=("--appendonly", "no")) as valkey:
        told = {"store_durability": "memory"}
        yield Servers([valkey.url], told, forget=promised, appendonly=False)


@pytest.fixture(
    params=[
        "standalone",
        pytest.param("cluster", marks=pytest.mark.slow),
        pytest.param("tls", marks=pytest.mark.slow),
        pytest.param("memory", marks=pytest.mark.slow),
    ]
)
def servers(request: pytest.FixtureRequest) -> Servers | None:
    """Servers that tests share, None for one of the test's own."""
    if request.param == "standalone":
        return None
    if request.param == "cluster":
        return Servers(request.getfixturevalue("cluster_urls"), {"redis_cluster": True})
    shared: Servers = request.getfixturevalue(f"{request.param}_servers")
    return shared
