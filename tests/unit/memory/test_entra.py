"""Tokens are fetched once, ahead of time, and told to live connections."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from redis.auth.token import SimpleToken

from memory.entra import LEAST_SECONDS, RETRY_SECONDS, SCOPE, EntraCredentials
from meshkit.errors import MeshError
from tests.support.entra import AsyncTokenCredential, Token, TokenCredential, jwt


class Moments:
    """A clock that moves when someone sleeps, and stops sleepers when it is told to."""

    def __init__(self) -> None:
        self.seconds = 2_000_000_000.0
        self.pauses: list[float] = []
        self.left = 0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self.left <= 0:
            await asyncio.Event().wait()
        self.left -= 1
        self.seconds += seconds
        await asyncio.sleep(0)


@pytest.fixture
def moments() -> Moments:
    return Moments()


@pytest.fixture
def credential(moments: Moments) -> AsyncTokenCredential:
    return AsyncTokenCredential("oid-1", now=lambda: moments.seconds)


def provider(credential: TokenCredential, moments: Moments, **told: str) -> EntraCredentials:
    return EntraCredentials(credential, clock=moments, sleep=moments.sleep, **told)


async def settled(condition: Callable[[], object]) -> None:
    """Let the refresh run until the condition holds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_of_many_first_connections_one_fetches(
    credential: AsyncTokenCredential, moments: Moments
) -> None:
    async with provider(credential, moments) as credentials:
        found = await asyncio.gather(*(credentials.get_credentials_async() for _ in range(10)))
    assert {user for user, _ in found} == {"oid-1"}
    assert credential.asked == [SCOPE]


async def test_a_token_is_replaced_while_it_is_still_good(
    credential: AsyncTokenCredential, moments: Moments
) -> None:
    told: list[str] = []

    async def listen(token: SimpleToken) -> None:
        told.append(token.get_value())

    moments.left = 3
    async with provider(credential, moments) as credentials:
        credentials.on_next(listen)
        first = await credentials.get_credentials_async()
        await settled(lambda: len(moments.pauses) == 4)
        latest = await credentials.get_credentials_async()
    assert len(told) == 3
    assert len({first[1], *told}) == 4
    assert latest[1] == told[-1]
    assert all(0.6 * 3600 < pause <= 0.7 * 3600 for pause in moments.pauses)


async def test_a_token_that_the_sdk_still_keeps_is_not_told_again(moments: Moments) -> None:
    """It gives the same one until five minutes before its end."""
    kept = Token(jwt(oid="oid-1"), int(moments.seconds) + 3600)
    told: list[tuple[str, float]] = []

    class Keeping(AsyncTokenCredential):
        async def get_token(self, *scopes: str) -> Token:  # type: ignore[override]
            return kept if moments.seconds < kept.expires_on - 300 else await super().get_token()

    async def listen(token: SimpleToken) -> None:
        told.append((token.get_value(), kept.expires_on - moments.seconds))

    moments.left = 6
    fresh = Keeping("oid-1", now=lambda: moments.seconds)
    async with provider(fresh, moments) as credentials:
        credentials.on_next(listen)
        first = await credentials.get_credentials_async()
        assert first[1] == kept.token
        await settled(lambda: told)
    token, left = told[0]
    assert token != kept.token
    assert 0 < left < 300


async def test_a_token_at_its_end_is_not_asked_for_without_a_pause(moments: Moments) -> None:
    """The SDK gives the one it has for as long as it holds, if there is no other."""
    end = int(moments.seconds) + 10

    class Holding(AsyncTokenCredential):
        async def get_token(self, *scopes: str) -> Token:  # type: ignore[override]
            if moments.seconds >= end:
                raise RuntimeError("away")
            return Token(jwt(oid="oid-1"), end)

    moments.left = 10
    async with provider(Holding("oid-1"), moments) as credentials:
        await credentials.get_credentials_async()
        await settled(lambda: moments.seconds >= end)
    assert min(moments.pauses) >= LEAST_SECONDS
    assert len(moments.pauses) <= 6


async def test_a_failed_refresh_is_tried_again_and_the_old_token_serves(
    credential: AsyncTokenCredential, moments: Moments
) -> None:
    moments.left = 3
    async with provider(credential, moments) as credentials:
        first = await credentials.get_credentials_async()
        credential.failing = True
        await settled(lambda: len(moments.pauses) == 4)
        assert await credentials.get_credentials_async() == first
    assert all(0 < pause <= RETRY_SECONDS for pause in moments.pauses[1:])


async def test_without_any_token_a_connection_is_refused_with_a_reason(
    credential: AsyncTokenCredential, moments: Moments
) -> None:
    credential.failing = True
    async with provider(credential, moments) as credentials:
        with pytest.raises(MeshError, match="no Entra token") as refused:
            await credentials.get_credentials_async()
    assert refused.value.reason == "STORE_UNAVAILABLE"
    assert "503" not in refused.value.message


async def test_an_expired_token_is_not_handed_out(
    credential: AsyncTokenCredential, moments: Moments
) -> None:
    async with provider(credential, moments) as credentials:
        first = await credentials.get_credentials_async()
        moments.seconds += 3601
        assert await credentials.get_credentials_async() != first


async def test_a_synchronous_credential_does_not_block_the_loop(moments: Moments) -> None:
    threads: list[threading.Thread] = []

    class Blocking(TokenCredential):
        def get_token(self, *scopes: str) -> Token:
            threads.append(threading.current_thread())
            return super().get_token(*scopes)

    async with provider(Blocking("oid-1"), moments) as credentials:
        await credentials.get_credentials_async()
    assert threads != [threading.main_thread()]


async def test_a_blocking_call_uses_what_is_there(
    credential: AsyncTokenCredential, moments: Moments
) -> None:
    async with provider(credential, moments) as credentials:
        with pytest.raises(MeshError, match="async credential"):
            credentials.get_credentials()
        found = await credentials.get_credentials_async()
        assert credentials.get_credentials() == found
    blocking = provider(TokenCredential("oid-2", now=lambda: moments.seconds), moments)
    assert blocking.get_credentials()[0] == "oid-2"


async def test_a_user_name_goes_before_the_token(
    credential: AsyncTokenCredential, moments: Moments
) -> None:
    async with provider(credential, moments, user_name="me", scope="other") as credentials:
        assert (await credentials.get_credentials_async())[0] == "me"
    assert credential.asked == ["other"]


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", jwt(sub="x")])
async def test_a_token_without_an_identity_says_what_to_set(token: str, moments: Moments) -> None:
    class Odd(TokenCredential):
        def get_token(self, *scopes: str) -> Token:
            return Token(token, 2_000_003_600)

    async with provider(Odd("x"), moments) as credentials:
        with pytest.raises(MeshError, match="REDIS_USER_NAME"):
            await credentials.get_credentials_async()


async def test_leaving_ends_the_refresh(credential: AsyncTokenCredential, moments: Moments) -> None:
    async with provider(credential, moments) as credentials:
        await credentials.get_credentials_async()
        await settled(lambda: moments.pauses)
    assert asyncio.all_tasks() == {asyncio.current_task()}
