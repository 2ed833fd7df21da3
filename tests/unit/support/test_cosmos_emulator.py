"""The Cosmos DB of the tests, asked by the real client library."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError

from tests.support.cosmos_emulator import CosmosEmulator, Fault
from tests.support.cosmos_sql import BadQuery, run


class Moment:
    seconds = 1_000_000.0


@pytest.fixture
def emulator() -> Iterator[CosmosEmulator]:
    moment = Moment()
    with CosmosEmulator(now=lambda: moment.seconds) as emulator:
        emulator.moment = moment  # type: ignore[attr-defined]
        emulator.add("mesh", "things", ["/tenant", "/day"], ttl=-1)
        yield emulator


@pytest.fixture
async def things(emulator: CosmosEmulator) -> AsyncIterator[ContainerProxy]:
    async with CosmosClient(emulator.endpoint, emulator.key) as client:
        yield client.get_database_client("mesh").get_container_client("things")


def thing(name: str, tenant: str = "bank", **more: Any) -> dict[str, Any]:
    return {"id": name, "tenant": tenant, "day": "2026-11-24", **more}


async def status(request: Any) -> int:
    with pytest.raises(CosmosHttpResponseError) as caught:
        await request
    return int(caught.value.status_code or 0)


async def test_a_document_is_written_read_and_deleted(things: ContainerProxy) -> None:
    await things.upsert_item(thing("a", n=1))
    await things.upsert_item(thing("a", n=2))
    found = await things.read_item("a", ["bank", "2026-11-24"])
    assert found["n"] == 2
    assert await status(things.read_item("a", ["other", "2026-11-24"])) == 404
    assert await status(things.create_item(thing("a"))) == 409
    await things.delete_item("a", ["bank", "2026-11-24"])
    assert await status(things.read_item("a", ["bank", "2026-11-24"])) == 404


async def test_documents_are_found_page_by_page_across_partitions(things: ContainerProxy) -> None:
    for number in range(5):
        await things.upsert_item(thing(f"d{number}", tenant=f"t{number % 2}", n=number))
    query = "SELECT VALUE c.n FROM c WHERE c.n >= @least"
    least = [{"name": "@least", "value": 1}]
    pages = things.query_items(query, parameters=least, max_item_count=2).by_page()
    sizes = [len([n async for n in page]) async for page in pages]
    assert sizes == [2, 2]
    one = things.query_items("SELECT c.id FROM c", partition_key=["t1", "2026-11-24"])
    assert sorted([d["id"] async for d in one]) == ["d1", "d3"]


async def test_a_document_lives_as_long_as_it_says(
    emulator: CosmosEmulator, things: ContainerProxy
) -> None:
    await things.upsert_item(thing("short", ttl=10))
    await things.upsert_item(thing("ever"))
    emulator.moment.seconds += 10  # type: ignore[attr-defined]
    assert [one["id"] for one in emulator.documents("mesh", "things")] == ["ever"]


async def test_a_document_over_the_services_limit_is_refused(things: ContainerProxy) -> None:
    assert await status(things.upsert_item(thing("big", text="x" * (2 << 20)))) == 413


async def test_another_key_is_refused(emulator: CosmosEmulator) -> None:
    client = CosmosClient(emulator.endpoint, base64.b64encode(b"other").decode())
    assert await status(client.__aenter__()) == 401
    await client.close()


async def test_a_fault_is_answered_instead_and_the_client_waits_as_told(
    emulator: CosmosEmulator, things: ContainerProxy
) -> None:
    emulator.faults.append(Fault(429, {"x-ms-retry-after-ms": "1"}))
    await things.upsert_item(thing("a"))
    assert emulator.asked.count("POST /dbs/mesh/colls/things/docs/") == 2


DOCUMENTS: list[dict[str, Any]] = [
    {"id": "a", "n": 3, "tags": ["x"], "v": [1.0, 0.0]},
    {"id": "b", "n": 1, "v": [0.6, 0.8]},
    {"id": "c", "n": 2, "deep": {"er": [7]}, "v": [0.0, 1.0]},
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT VALUE c.id FROM c ORDER BY c.n", ["b", "c", "a"]),
        ("SELECT VALUE c.id FROM c ORDER BY c.n DESC OFFSET 1 LIMIT 1", ["c"]),
        ("SELECT TOP 1 c.id, c.n AS many FROM c", [{"id": "a", "many": 3}]),
        ("SELECT VALUE c.id FROM c WHERE c.n = 1 OR c.deep.er[0] = 7", ["b", "c"]),
        ("SELECT VALUE c.id FROM c WHERE NOT (c.n < 3) AND c.id != 'z'", ["a"]),
        ("SELECT VALUE c.id FROM c WHERE ARRAY_CONTAINS(c.tags, 'x')", ["a"]),
        ("SELECT VALUE c.id FROM c WHERE IS_DEFINED(c.deep)", ["c"]),
        ("SELECT VALUE c.tags FROM c", [["x"]]),
        ("SELECT VALUE c.id FROM c WHERE c.n = '1'", []),
        ("SELECT VALUE c.id FROM c ORDER BY VectorDistance(c.v, @q)", ["a", "b", "c"]),
        ("SELECT DISTINCT VALUE c.n > 1 FROM c", [True, False]),
        ("SELECT TOP @most VALUE c.id FROM c WHERE c.none != 1", []),
    ],
)
def test_a_query(query: str, found: list[Any]) -> None:
    assert run(query, {"@q": [1.0, 0.1], "@most": 2}, DOCUMENTS) == found


@pytest.mark.parametrize(
    "query",
    [
        "SELECT",
        "SELECT * FROM c WHERE d.n = 1",
        "SELECT * FROM c WHERE c.n = @other",
        "SELECT * FROM c GROUP BY c.n",
        "SELECT VALUE NOSUCH(c.n) FROM c",
        "SELECT TOP x * FROM c",
        "SELECT * FROM c WHERE c.n ~ 1",
    ],
)
def test_a_query_that_is_refused(query: str) -> None:
    with pytest.raises(BadQuery):
        run(query, {}, DOCUMENTS)
