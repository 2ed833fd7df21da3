"""What the session-store's contract runs on: one server, and in the slow suite a cluster of three."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.valkey_cluster import valkey_cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster_urls(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[str]]:
    """The nodes of one cluster for all tests, because it takes seconds to become whole."""
    async with valkey_cluster(tmp_path_factory.mktemp("cluster")) as nodes:
        yield [node.url for node in nodes]


@pytest.fixture(params=["standalone", pytest.param("cluster", marks=pytest.mark.slow)])
def cluster(request: pytest.FixtureRequest) -> list[str] | None:
    """The nodes of a cluster, None for a server of the test's own."""
    if request.param == "standalone":
        return None
    urls: list[str] = request.getfixturevalue("cluster_urls")
    return urls
