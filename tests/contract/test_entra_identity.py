"""The real credential chain of azure-identity, and Redis that takes its tokens for passwords."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import azure.identity
import azure.identity.aio
import grpc
import pytest

from agentkit import ModelOptions
from memory import entra as entra_module
from memory.azure_redis import AzureRedisManager
from memory.embedded import EmbeddedValkey
from memory.entra import SCOPE
from memory.hotstore import HotStore
from meshkit.appconfig import AppConfigProvider
from meshkit.cosmos import CosmosContainer, CosmosPlace
from meshkit.credentials import process_credential, process_credential_async
from meshkit.errors import MeshError, Reason
from orchestrator.llm import ModelUnavailable, OpenAIModel
from orchestrator.settings import OrchestratorSettings
from tests.support.appconfig_emulator import AppConfigEmulator
from tests.support.cosmos_emulator import CosmosEmulator
from tests.support.entra_emulator import EntraEmulator
from tests.support.redis_tls import free_port
from tests.support.scripted_model import ScriptedModel, scripted_model
from tests.support.store_process import NOT_SERVING, SERVING, health, log_of, process
from tests.support.web_thread import certificate, server_context

pytestmark = pytest.mark.slow

OID = "00000000-0000-0000-0000-0000000000aa"
RESOURCE = SCOPE.removesuffix("/.default")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No identity of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith(("AZURE_", "IDENTITY_", "MSI_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return certificate(tmp_path, "localhost")


@pytest.fixture(params=["managed", "workload"])
def entra(
    request: pytest.FixtureRequest, pem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EntraEmulator]:
    """Who gives tokens, and this process told as a pod is."""
    managed = request.param == "managed"
    with EntraEmulator(OID, tls=None if managed else server_context(pem)) as running:
        told = running.managed_identity if managed else running.workload_identity(tmp_path)
        for name, value in {**told, "REQUESTS_CA_BUNDLE": str(pem)}.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def managed(monkeypatch: pytest.MonkeyPatch) -> Iterator[EntraEmulator]:
    """The one that needs no TLS."""
    with EntraEmulator(OID) as running:
        for name, value in running.managed_identity.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[EmbeddedValkey]:
    """A server that nobody gets into without a token."""
    async with EmbeddedValkey(tmp_path / "valkey") as server, HotStore(server.url) as hot:
        await hot.command("CONFIG", "SET", "requirepass", "admin")
        yield server


@pytest.fixture
async def admin(valkey: EmbeddedValkey) -> AsyncIterator[HotStore]:
    async with HotStore(valkey.url.replace("//", "//:admin@")) as opened:
        yield opened


async def let_in(admin: HotStore, entra: EntraEmulator, *numbers: int) -> None:
    """Take these tokens for passwords of the identity, and no other."""
    tokens = [f">{entra.token(number)}" for number in numbers]
    await admin.command("ACL", "SETUSER", OID, "resetpass", "on", *tokens, "~*", "&*", "+@all")


def manager(valkey: EmbeddedValkey, credential: Any) -> AzureRedisManager:
    return AzureRedisManager(host="127.0.0.1", port=valkey.port, ssl=False, credential=credential)


async def until(true: Callable[[], bool]) -> None:
    """Wait for what a task or a thread brings about."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0)


# ------------------------------------------------------------------ one credential a process


async def test_all_handles_of_the_process_ask_once(entra: EntraEmulator) -> None:
    with process_credential() as blocking:
        async with process_credential_async() as waiting:
            first = blocking.get_token(SCOPE)
            assert (await waiting.get_token(SCOPE)).token == first.token == entra.token(1)
            assert (await waiting.get_token_info(SCOPE)).token == first.token
    assert entra.asked in ([SCOPE], [RESOURCE])
    assert 3580 <= first.expires_on - time.time() <= 3601


async def test_the_last_handle_ends_it_and_the_next_is_a_new_one(entra: EntraEmulator) -> None:
    for number in (1, 2):
        async with process_credential_async() as credential:
            assert (await credential.get_token(SCOPE)).token == entra.token(number)


async def test_settings_and_the_archive_are_read_as_the_same_identity(
    entra: EntraEmulator, pem: Path
) -> None:
    """Each asks for its own scope, once, of the one credential."""
    tokens = {entra.token(number) for number in (1, 2)}
    with (
        AppConfigEmulator(tls=server_context(pem)) as store,
        CosmosEmulator(tls=server_context(pem)) as account,
    ):
        store.tokens, account.tokens = tokens, tokens
        store.set("a", "1")
        account.add("mesh", "things", ["/tenant", "/day"])
        where = CosmosPlace(account.endpoint, "mesh", "things")
        async with (
            AppConfigProvider(store.endpoint) as provider,
            CosmosContainer(where, seconds=10, connection_verify=str(pem)) as things,
        ):
            assert await provider.get_all_settings() == {"a": "1"}
            for number in range(2):
                await things.upsert({"id": str(number), "tenant": "t", "day": "d"})
    assert len(entra.asked) == 2
    assert [one for one in entra.asked if "azconfig" in one or "appconfig" in one]


# ------------------------------------------------------------------ Redis


async def test_the_managers_sample_logs_in_by_token(
    entra: EntraEmulator, valkey: EmbeddedValkey, admin: HotStore
) -> None:
    await let_in(admin, entra, 1)
    with azure.identity.DefaultAzureCredential() as credential:
        async with manager(valkey, credential) as redis_mgr:
            await redis_mgr.set_value_async("session:1", {"caller": "Ada"}, expire=3600)
            assert await redis_mgr._hot.command("ACL", "WHOAMI") == OID.encode()
            assert redis_mgr.get_session_data("none") == {}  # the blocking client too
    assert len(entra.asked) == 1


async def test_the_asynchronous_chain_does_too(
    managed: EntraEmulator, valkey: EmbeddedValkey, admin: HotStore
) -> None:
    await let_in(admin, managed, 1)
    async with (
        azure.identity.aio.DefaultAzureCredential() as credential,
        manager(valkey, credential) as redis_mgr,
    ):
        await asyncio.gather(*(redis_mgr.ping_async() for _ in range(20)))
        assert await redis_mgr._hot.command("ACL", "WHOAMI") == OID.encode()
    assert managed.asked == [RESOURCE]


SCRIPT = """
import asyncio, sys
from azure.identity.aio import DefaultAzureCredential
from memory.azure_redis import AzureRedisManager

async def main():
    async with DefaultAzureCredential() as credential:
        where = AzureRedisManager("127.0.0.1", port=int(sys.argv[1]), ssl=False, credential=credential)
        async with where as manager:
            print((await manager._hot.command("ACL", "WHOAMI")).decode())

asyncio.run(main())
"""


async def test_the_asynchronous_chain_with_workload_identity(
    pem: Path, tmp_path: Path, valkey: EmbeddedValkey, admin: HotStore
) -> None:
    """In a process of its own: its client reads SSL_CERT_FILE when it is imported."""
    with EntraEmulator(OID, tls=server_context(pem)) as entra:
        await let_in(admin, entra, 1)
        told = {**entra.workload_identity(tmp_path), "SSL_CERT_FILE": str(pem)}
        run = await asyncio.create_subprocess_exec(
            *(sys.executable, "-X", "dev", "-c", SCRIPT, str(valkey.port)),
            env={**os.environ, **told, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, errors = await asyncio.wait_for(run.communicate(), 30)
        assert said.decode().strip() == OID, errors.decode()
        assert b"nclosed" not in errors
        assert entra.asked == [SCOPE]


async def test_a_token_is_renewed_before_its_end_and_no_connection_is_dropped(
    managed: EntraEmulator,
    valkey: EmbeddedValkey,
    admin: HotStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a token with less than five minutes left the SDK fetches another whenever it is asked."""
    monkeypatch.setattr(entra_module, "REFRESH_FRACTION", 0.001)
    managed.life = 200
    await let_in(admin, managed, 1, 2)
    async with process_credential_async() as credential, manager(valkey, credential) as redis_mgr:
        before = await redis_mgr._hot.command("CLIENT", "ID")
        shown: list[str] = []
        assert redis_mgr._credentials is not None
        redis_mgr._credentials.on_next(_noting(shown))
        await until(lambda: len(shown) >= 1)
        assert shown[0] == managed.token(2)
        assert time.time() < redis_mgr._credentials._token.expires_at / 1000  # type: ignore[union-attr]
        await let_in(admin, managed, *range(2, 40))  # the first is no password any more
        assert await redis_mgr._hot.command("CLIENT", "ID") == before
        assert b"user=" + OID.encode() in await admin.command("CLIENT", "LIST", "ID", before)
        await asyncio.gather(*(redis_mgr._hot.command("BLPOP", "none", 0.05) for _ in range(8)))
    assert OID.encode() not in await admin.command("CLIENT", "LIST")


def _noting(shown: list[str]) -> Callable[[Any], Any]:
    async def note(token: Any) -> None:
        shown.append(token.get_value())

    return note


async def test_a_token_in_hand_serves_while_its_source_is_away_and_no_longer_than_its_life(
    managed: EntraEmulator,
    valkey: EmbeddedValkey,
    admin: HotStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    managed.life = 200
    await let_in(admin, managed, 1, 2)
    async with process_credential_async() as credential, manager(valkey, credential) as redis_mgr:
        await redis_mgr.ping_async()
        managed.away = True
        await admin.command("CLIENT", "KILL", "SKIPME", "yes")
        await redis_mgr.ping_async()  # a new connection with the old token
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() + 201)
        monkeypatch.setattr(redis_mgr._credentials, "_clock", _later(201))
        await admin.command("CLIENT", "KILL", "SKIPME", "yes")
        with pytest.raises(MeshError, match="Entra token for") as refused:
            await redis_mgr.ping_async()
        assert refused.value.is_reason(Reason.STORE_UNAVAILABLE)
        assert refused.value.retry_after_seconds
        managed.away = False
        await _until_answering(redis_mgr)
    assert managed.asked == [RESOURCE] * 2


def _later(seconds: float) -> Any:
    from datetime import UTC, datetime, timedelta

    class Later:
        def now(self) -> datetime:
            return datetime.now(UTC) + timedelta(seconds=seconds)

        def monotonic(self) -> float:
            return time.monotonic() + seconds

    return Later()


async def _until_answering(redis_mgr: AzureRedisManager) -> None:
    """The SDK retries for longer than one operation takes; the answer is there for a later one."""
    async with asyncio.timeout(20):
        while True:
            with suppress(MeshError):
                await redis_mgr.ping_async()
                return


async def test_a_token_that_redis_takes_for_expired_is_refused_by_name(
    managed: EntraEmulator, valkey: EmbeddedValkey, admin: HotStore
) -> None:
    await let_in(admin, managed, 7)
    async with process_credential_async() as credential, manager(valkey, credential) as redis_mgr:
        with pytest.raises(MeshError, match="refused our credentials") as refused:
            await redis_mgr.ping_async()
    assert refused.value.is_reason(Reason.STORE_UNAVAILABLE)
    assert managed.token(1) not in refused.value.message


# ------------------------------------------------------------------ a model


async def test_azure_openai_without_a_key_is_asked_as_the_pod(entra: EntraEmulator) -> None:
    async with scripted_model() as endpoint, keyless_model(endpoint) as model:
        for _ in range(2):
            assert await _answer(model)
        shown = {headers["Authorization"] for headers in endpoint.headers}
        assert shown == {f"Bearer {entra.token(1)}"}
        assert not any("api-key" in headers for headers in endpoint.headers)
    assert len(entra.asked) == 1
    assert "cognitiveservices.azure.com" in entra.asked[0]


async def test_without_a_token_the_model_is_unavailable_and_the_cause_named(
    managed: EntraEmulator,
) -> None:
    managed.away = True
    async with scripted_model() as endpoint, keyless_model(endpoint) as model:
        with pytest.raises(ModelUnavailable, match="no Entra token for https://cognitiveservices"):
            await _answer(model)
        managed.away = False
        assert await _answer(model)


@asynccontextmanager
async def keyless_model(endpoint: ScriptedModel) -> AsyncIterator[OpenAIModel]:
    where = endpoint.base_url.removesuffix("/v1")
    settings = OrchestratorSettings(azure_openai_endpoint=where, model_first_token_seconds=60.0)
    model = OpenAIModel(settings)
    try:
        yield model
    finally:
        await model.aclose()


async def _answer(model: OpenAIModel) -> list[Any]:
    said = [{"role": "user", "content": "Hello"}]
    return [event async for event in model.answer(said, (), ModelOptions())]


# ------------------------------------------------------------------ a pod


@pytest.mark.parametrize("kind", ["managed", "workload"])
async def test_a_keyless_pod_is_ready_once_it_has_a_token(
    kind: str, pem: Path, tmp_path: Path, valkey: EmbeddedValkey, admin: HotStore
) -> None:
    with EntraEmulator(OID, tls=server_context(pem) if kind == "workload" else None) as entra:
        await let_in(admin, entra, 1)
        entra.away = True
        told = entra.managed_identity if kind == "managed" else entra.workload_identity(tmp_path)
        told |= {"REQUESTS_CA_BUNDLE": str(pem), "VOICEMESH_REDIS_ENTRA": "true"}
        port = free_port()
        told |= {"VOICEMESH_REDIS_URL": valkey.url, "VOICEMESH_GRPC_PORT": str(port)}
        async with process(**told) as run:
            warning = await log_of(run, "waiting for redis")
            assert f"Entra token for {SCOPE}" in warning["cause"]
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                assert await health(channel) == NOT_SERVING
                entra.away = False
                await log_of(run, "ready", 60)  # the SDK tries again ever more slowly
                assert await health(channel) == SERVING
            run.terminate()
            assert await run.wait() == 0
            assert run.stderr is not None
            assert b"nclosed" not in await run.stderr.read()
