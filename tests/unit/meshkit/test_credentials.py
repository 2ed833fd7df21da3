"""One credential a process, fetched from by many, closed by the last."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from pathlib import Path
from typing import Any

import azure.identity
import pytest

from meshkit.credentials import (
    KEEP_SECONDS,
    BearerTokens,
    TokenUnavailable,
    process_credential,
    process_credential_async,
)
from tests.support.entra import TokenCredential

ROOT = Path(__file__).parents[3]
SCOPE = "https://cosmos.azure.com/.default"


class Identity(TokenCredential):
    """Stands where the credential chain of the pod would be."""

    made: list[Identity]

    def __init__(self) -> None:
        super().__init__("oid")
        self.closed = 0
        self.threads: list[int] = []
        self.made.append(self)

    def get_token(self, *scopes: str, **options: Any) -> Any:
        self.threads.append(threading.get_ident())
        return super().get_token(*scopes, **options)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[Identity]:
    Identity.made = []
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Identity)
    return Identity.made


async def test_all_handles_are_one_credential(made: list[Identity]) -> None:
    with process_credential() as blocking, process_credential() as other:
        async with process_credential_async() as waiting:
            assert blocking.get_token(SCOPE).token
            assert other.get_token(SCOPE).token
            assert (await waiting.get_token(SCOPE)).token
    assert len(made) == 1


async def test_the_last_handle_closes_it_once(made: list[Identity]) -> None:
    first, last = process_credential(), process_credential_async()
    first.close()
    first.close()
    assert made[0].closed == 0
    await last.close()
    await last.close()
    assert made[0].closed == 1


def test_a_handle_after_that_is_a_new_one(made: list[Identity]) -> None:
    process_credential().close()
    process_credential().close()
    assert [identity.closed for identity in made] == [1, 1]


async def test_the_loop_does_not_wait_for_a_token(made: list[Identity]) -> None:
    async with process_credential_async() as waiting:
        await waiting.get_token(SCOPE)
    assert made[0].threads
    assert threading.get_ident() not in made[0].threads


def test_handles_from_many_threads_are_one_credential(made: list[Identity]) -> None:
    handles: list[Any] = []
    threads = [
        threading.Thread(target=lambda: handles.append(process_credential())) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    for handle in handles:
        handle.close()
    assert made[0].closed == 1


async def test_a_bearer_token_is_kept_until_near_its_end(
    made: list[Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = 2_000_000_000.0
    monkeypatch.setattr(time, "time", lambda: moment)
    tokens = BearerTokens(SCOPE)
    first = await asyncio.gather(*(tokens() for _ in range(5)))
    moment += 3600 - KEEP_SECONDS
    assert {await tokens(), *first} == {first[0]}
    made[0].now = lambda: moment + 1
    moment += 1
    assert await tokens() != first[0]
    assert made[0].asked == [SCOPE] * 2
    await tokens.aclose()
    assert made[0].closed == 1


async def test_without_a_token_the_scope_is_named(made: list[Identity]) -> None:
    tokens = BearerTokens(SCOPE)
    made[0].failing = True
    with pytest.raises(TokenUnavailable, match=r"no Entra token for .*: RuntimeError") as refused:
        await tokens()
    assert "503" not in str(refused.value)
    made[0].failing = False
    assert await tokens()
    await tokens.aclose()


def test_nothing_else_makes_a_credential() -> None:
    importing = {
        path.relative_to(ROOT).as_posix()
        for folder in ("libs", "services")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"^\s*(from|import) azure\.identity", path.read_text(), re.MULTILINE)
    }
    assert importing == {"libs/meshkit/credentials.py"}
