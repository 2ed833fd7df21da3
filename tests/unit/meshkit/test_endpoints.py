"""Endpoint sources tell the whole set, again when it changes, and survive a DNS that does not answer."""

from __future__ import annotations

import pytest

from meshkit.endpoints import DnsEndpoints, StaticEndpoints, endpoint_source
from meshkit.targets import parse_target, split_address


async def first(source: object, count: int) -> list[frozenset[str]]:
    sets: list[frozenset[str]] = []
    async for addresses in source.watch():  # type: ignore[attr-defined]
        sets.append(addresses)
        if len(sets) == count:
            return sets
    return sets


class Dns:
    """Answers in turn; an OSError in the list is raised. Counts the naps between."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.naps: list[float] = []

    async def resolve(self, host: str, port: int) -> frozenset[str]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return frozenset(f"{ip}:{port}" for ip in str(answer).split())

    async def nap(self, seconds: float) -> None:
        self.naps.append(seconds)

    def source(self) -> DnsEndpoints:
        return DnsEndpoints("pool", 50051, interval=5.0, resolve=self.resolve, sleep=self.nap)


async def test_static_list() -> None:
    assert await first(StaticEndpoints(frozenset({"a:1"})), 1) == [frozenset({"a:1"})]


async def test_dns_tells_changes_only_and_looks_with_jitter() -> None:
    dns = Dns("1.1.1.1", "1.1.1.1", "1.1.1.1 2.2.2.2")
    sets = await first(dns.source(), 2)
    assert sets == [frozenset({"1.1.1.1:50051"}), frozenset({"1.1.1.1:50051", "2.2.2.2:50051"})]
    assert len(dns.naps) == 2
    assert all(4.0 <= nap <= 6.0 for nap in dns.naps)


async def test_a_failed_look_up_keeps_the_last_answer() -> None:
    dns = Dns("1.1.1.1", OSError("no DNS"), "2.2.2.2")
    assert await first(dns.source(), 2) == [
        frozenset({"1.1.1.1:50051"}),
        frozenset({"2.2.2.2:50051"}),
    ]


async def test_a_failed_first_look_up_is_an_empty_set_not_a_hang() -> None:
    assert await first(Dns(OSError("no DNS")).source(), 1) == [frozenset()]


def test_targets() -> None:
    assert parse_target("static:a:1, b:2").addresses == ("a:1", "b:2")
    assert isinstance(endpoint_source("dns:pool.ns.svc:50051"), DnsEndpoints)
    assert isinstance(endpoint_source("static:a:1"), StaticEndpoints)
    assert split_address("[::1]:80") == ("::1", 80)


@pytest.mark.parametrize(
    "text", ["", "pool:50051", "static:", "dns:a:1,b:2", "static:a", "static:a:0", "dns:a:x"]
)
def test_a_bad_target_says_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="use static:host:port"):
        parse_target(text)
