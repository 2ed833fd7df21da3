"""A container of Cosmos DB: what is asked, how long, and how a failure is named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from meshkit.cosmos import CosmosContainer, CosmosPlace, CosmosUnavailable, DocumentRefused
from tests.support.cosmos_emulator import CosmosEmulator, Fault
from tests.support.entra import AsyncTokenCredential, jwt
from tests.support.web_thread import certificate, server_context

WRITE = "POST /dbs/mesh/colls/things/docs/"


@pytest.fixture
def emulator() -> Iterator[CosmosEmulator]:
    with CosmosEmulator() as emulator:
        emulator.add("mesh", "things", ["/tenant", "/day"], ttl=-1)
        yield emulator


def place(emulator: CosmosEmulator, container: str = "things") -> CosmosPlace:
    return CosmosPlace(emulator.endpoint, "mesh", container, emulator.key)


@pytest.fixture
async def things(emulator: CosmosEmulator) -> AsyncIterator[CosmosContainer]:
    async with CosmosContainer(place(emulator), seconds=10) as container:
        yield container


def thing(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "tenant": "bank", "day": "today", **more}


async def test_nothing_is_asked_before_the_first_operation(
    emulator: CosmosEmulator, things: CosmosContainer
) -> None:
    assert emulator.asked == []
    await things.upsert(thing("a"))
    assert (await things.properties())["defaultTtl"] == -1


async def test_what_is_not_there_is_no_failure(things: CosmosContainer) -> None:
    assert await things.read("a", ["bank", "today"]) is None
    await things.delete("a", ["bank", "today"])
    await things.upsert(thing("a", n=1))
    found = await things.read("a", ["bank", "today"])
    assert found is not None
    assert found["n"] == 1
    await things.delete("a", ["bank", "today"])
    assert await things.read("a", ["bank", "today"]) is None


async def test_a_query_gives_no_more_than_asked_for(things: CosmosContainer) -> None:
    for number in range(5):
        await things.upsert(thing(f"t{number}", day=f"d{number % 2}", n=number))
    query, least = "SELECT VALUE c.n FROM c WHERE c.n >= @least", {"@least": 1}
    assert len(await things.find(query, least, most=3)) == 3
    assert await things.find(query, least, most=9, partition=["bank", "d1"]) == [1, 3]


async def test_a_throttled_write_waits_as_told_and_not_for_ever(
    emulator: CosmosEmulator, things: CosmosContainer
) -> None:
    throttled = Fault(429, {"x-ms-retry-after-ms": "1"})
    emulator.faults.extend([throttled] * 2)
    await things.upsert(thing("a"))
    assert emulator.asked.count(WRITE) == 3
    emulator.always = throttled
    with pytest.raises(CosmosUnavailable, match="429"):
        await things.upsert(thing("a"))
    assert emulator.asked.count(WRITE) == 3 + 4


async def test_a_longer_wait_than_there_is_time_is_given_up(emulator: CosmosEmulator) -> None:
    async with CosmosContainer(place(emulator), seconds=2) as things:
        await things.properties()
        emulator.always = Fault(429, {"x-ms-retry-after-ms": "20000"})
        with pytest.raises(CosmosUnavailable, match=r"no answer in 2 s"):
            await things.upsert(thing("a"))


async def test_a_document_that_will_never_be_taken(things: CosmosContainer) -> None:
    with pytest.raises(DocumentRefused, match="413"):
        await things.upsert(thing("big", text="x" * (2 << 20)))


async def test_a_container_that_is_not_there_is_named(emulator: CosmosEmulator) -> None:
    async with CosmosContainer(place(emulator, "other"), seconds=10) as other:
        for request in (
            other.upsert(thing("a")),
            other.read("a", ["bank", "today"]),
            other.delete("a", ["bank", "today"]),
        ):
            with pytest.raises(CosmosUnavailable, match=r"mesh/other: .*404"):
                await request


async def test_an_account_that_is_away_is_found_when_it_is_back(emulator: CosmosEmulator) -> None:
    async with CosmosContainer(place(emulator), seconds=3) as things:
        emulator.away = True
        with pytest.raises(CosmosUnavailable, match="mesh/things"):
            await things.upsert(thing("a"))
        emulator.away = False
        await things.upsert(thing("a"))


async def test_an_account_that_refuses_connections_is_told() -> None:
    nowhere = CosmosPlace("http://127.0.0.1:1", "mesh", "things", "a2V5")
    async with CosmosContainer(nowhere, seconds=3) as things:
        with pytest.raises(CosmosUnavailable, match="mesh/things"):
            await things.upsert(thing("a"))


async def test_no_failure_repeats_the_document_or_the_key(
    emulator: CosmosEmulator, things: CosmosContainer
) -> None:
    emulator.always = Fault(400)
    with pytest.raises(DocumentRefused) as caught:
        await things.upsert(thing("a", said="my secret"))
    assert "secret" not in str(caught.value)
    assert emulator.key not in str(caught.value) + repr(things.place)


async def test_without_a_key_the_pods_identity_is_used(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "localhost")
    credential = Closable("pod")
    with CosmosEmulator(tls=server_context(pem)) as emulator:
        emulator.add("mesh", "things", ["/tenant", "/day"])
        emulator.tokens.add(jwt(oid="pod", n=1, exp=2_000_003_600))
        where = CosmosPlace(emulator.endpoint, "mesh", "things")
        async with CosmosContainer(
            where, seconds=10, credential=credential, connection_verify=str(pem)
        ) as things:
            await things.upsert(thing("a"))
    assert credential.asked == ["https://localhost/.default"]
    assert credential.closed


class Closable(AsyncTokenCredential):
    closed = False

    async def get_token(self, *scopes: str, **_: Any) -> Any:  # type: ignore[override]
        return await super().get_token(*scopes)

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("endpoint", "key", "problem"),
    [
        ("db.example", "a2V5", "is no address"),
        ("http://db.example", "", "needs a key, or https"),
        ("https://db.example", "not base64!", "not Base64"),
    ],
)
def test_a_place_that_cannot_be(endpoint: str, key: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        CosmosContainer(CosmosPlace(endpoint, "d", "c", key), seconds=1)
