"""Redis over TLS, on a real server: whom we trust, what goes wrong, and certificates that change."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from memory.azure_redis import AzureRedisManager
from memory.hotstore import HotStore
from memory.memo import MemoManager
from memory.subscriptions import Subscriptions
from memory.tls import RedisTLS
from meshkit.errors import MeshError, Reason
from tests.support.certificates import PrivateCA
from tests.support.redis_tls import (
    RedisOverTLS,
    free_port,
    redis_cluster_over_tls,
    redis_over_tls,
)
from tests.support.store_process import NOT_SERVING, SERVING, health, log_of, process
from tests.unit.memory.test_hotstore import WRITE

pytestmark = pytest.mark.slow


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisOverTLS]:
    async with redis_over_tls(tmp_path / "server") as running:
        yield running


@pytest.fixture
def stranger(tmp_path: Path) -> RedisTLS:
    """What a client is told that trusts another CA."""
    path = tmp_path / "stranger.pem"
    path.write_bytes(PrivateCA("stranger").pem)
    return RedisTLS(ca=str(path))


async def refused(url: str, tls: RedisTLS) -> str:
    """What a client is told that cannot connect."""
    async with HotStore(url, tls=tls) as hot:
        with pytest.raises(MeshError) as caught:
            await hot.ping()
    assert caught.value.is_reason(Reason.STORE_UNAVAILABLE)
    assert caught.value.retry_after_seconds
    return caught.value.message


async def test_scripts_commands_and_messages_go_over_tls(server: RedisOverTLS) -> None:
    async with HotStore(server.url, tls=server.tls, durability="memory") as hot:
        assert await hot.run(WRITE, ["k"], ["v"], durable=True) == b"OK"
        assert await hot.command("GET", "k") == b"v"
        async with Subscriptions(hot) as subscriptions, subscriptions.to("channel") as feed:
            await hot.command("PUBLISH", "channel", "hi")
            assert await feed.next(5) == b"hi"


async def test_many_connections_share_one_context(server: RedisOverTLS) -> None:
    async with HotStore(server.url, tls=server.tls, max_connections=8) as hot:
        await asyncio.gather(*(hot.command("BLPOP", "none", 0.05) for _ in range(8)))
        pool = hot._client.connection_pool  # type: ignore[union-attr]
        contexts = {id(connection.ssl_context) for connection in pool._available_connections}
        assert len(pool._available_connections) == 8
    assert len(contexts) == 1


async def test_a_ca_that_we_do_not_trust_is_named_as_the_cause(
    server: RedisOverTLS, stranger: RedisTLS
) -> None:
    for tls in (stranger, RedisTLS()):
        said = await refused(server.url, tls)
        assert "its certificate is not trusted" in said
        assert "VOICEMESH_REDIS_TLS_CA" in said


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_certificate_of_another_host_is_named_as_the_cause(
    tmp_path: Path, host: str
) -> None:
    async with redis_over_tls(tmp_path, "cache.example.com") as server:
        url = server.url.replace("localhost", host)
        said = await refused(url, server.tls)
        assert "its certificate is another host's" in said
        assert host in said
        named = RedisTLS(ca=server.files.ca, name="cache.example.com")
        async with HotStore(url, tls=named) as hot:
            await hot.ping()


async def test_tls_on_the_wrong_port_and_none_on_the_right_one(server: RedisOverTLS) -> None:
    plain_port = server.url.replace(str(server.port), str(server.plain.port))
    assert "speaks TLS on this port" in await refused(plain_port, server.tls)
    assert "cannot be reached" in await refused(server.url.replace("rediss", "redis"), server.tls)


async def test_a_server_that_asks_for_our_certificate(tmp_path: Path) -> None:
    ca = PrivateCA("redis")
    ours = ca.write(tmp_path / "ours", ca.issue("session-store"))
    options = ("--tls-auth-clients", "yes")
    async with redis_over_tls(tmp_path / "server", ca=ca, options=options) as server:
        assert "asks its clients for a certificate" in await refused(server.url, server.tls)
        known = RedisTLS(server.files.ca, ours.certificate, ours.key)
        async with HotStore(server.url, tls=known) as hot:
            await hot.ping()
        other = PrivateCA("other")
        forged = other.write(tmp_path / "forged", other.issue("session-store"))
        theirs = RedisTLS(server.files.ca, forged.certificate, forged.key)
        assert "name one that it trusts" in await refused(server.url, theirs)


async def test_a_new_certificate_of_the_same_ca_needs_nothing(server: RedisOverTLS) -> None:
    async with HotStore(server.url, tls=server.tls) as hot:
        await hot.ping()
        await server.rotate(server.ca)
        await hot.ping()


async def test_a_new_ca_is_trusted_once_its_file_says_so(
    server: RedisOverTLS, tmp_path: Path
) -> None:
    """The connections of before are dialled again with the new file, and no process starts anew."""
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(server.ca.pem)
    async with HotStore(server.url, tls=RedisTLS(ca=str(trusted))) as hot:
        await hot.ping()
        new = PrivateCA("new")
        await server.rotate(new)
        with pytest.raises(MeshError, match="not trusted"):
            await hot.ping()
        _replace(trusted, b"half a file")
        with pytest.raises(MeshError, match="not trusted"):
            await hot.ping()
        _replace(trusted, server.ca.pem + new.pem)
        await hot.ping()


async def test_the_manager_has_tls_by_default_blocking_or_not(
    server: RedisOverTLS, stranger: RedisTLS
) -> None:
    async with AzureRedisManager(
        host="localhost", port=server.port, ssl_ca_certs=server.files.ca
    ) as manager:
        await manager.store_session_data_async("h", {"a": 1})
        assert manager.get_session_data("h") == {"a": "1"}
    async with AzureRedisManager(
        host="localhost", port=server.port, ssl_ca_certs=stranger.ca
    ) as wary:
        with pytest.raises(MeshError, match="not trusted"):
            await wary.ping_async()
        with pytest.raises(MeshError, match="not trusted"):
            wary.get_session_data("h")


async def test_the_manager_knows_all_nodes_of_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They tell their addresses, and have the certificate of the host alone."""
    host, resolve = "cache.example.com", socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda name, *more, **named: resolve("127.0.0.1" if name == host else name, *more, **named),
    )
    monkeypatch.setenv("REDIS_USE_CLUSTER", "true")
    async with redis_cluster_over_tls(tmp_path, host) as first:
        where = AzureRedisManager(host=host, port=first.port, ssl_ca_certs=first.files.ca)
        async with where as manager:
            for number in range(20):
                await manager.store_session_data_async(f"h{number}", {"n": number})
                assert manager.get_session_data(f"h{number}") == {"n": str(number)}
            assert await manager.delete_value_async(*(f"h{n}" for n in range(20)), "none") == 20
            memo = MemoManager.from_redis("s", manager)
            memo.append_to_history("user", "Hello")
            await memo.persist_to_redis_async(manager)
            assert MemoManager.from_redis("s", manager).get_history()


def _replace(path: Path, content: bytes) -> None:
    """As a mounted Secret changes: whole, and as another file."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    os.replace(fresh, path)


async def test_a_pod_that_does_not_trust_redis_is_not_ready_and_says_why(
    server: RedisOverTLS, tmp_path: Path
) -> None:
    """And is, without a restart, once the file has the CA."""
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(PrivateCA("stranger").pem)
    told = {"VOICEMESH_REDIS_URL": server.url, "VOICEMESH_REDIS_TLS_CA": str(trusted)}
    port = free_port()
    async with process(**told, VOICEMESH_GRPC_PORT=str(port)) as run:
        warning = await log_of(run, "waiting for redis")
        assert "its certificate is not trusted" in warning["cause"]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert await health(channel) == NOT_SERVING
            _replace(trusted, server.ca.pem)
            await log_of(run, "ready")
            assert await health(channel) == SERVING
        run.terminate()
        assert await run.wait() == 0


@pytest.mark.parametrize(
    ("file", "said"),
    [(None, "No such file"), ("nonsense", "does not hold what a PEM file should")],
)
async def test_a_ca_file_that_is_none_ends_the_pod_in_a_sentence(
    tmp_path: Path, file: str | None, said: str
) -> None:
    path = tmp_path / "ca.pem"
    if file is not None:
        path.write_text(file)
    told = {"VOICEMESH_REDIS_URL": "rediss://localhost:1/0", "VOICEMESH_REDIS_TLS_CA": str(path)}
    async with process(**told) as run:
        _, stderr = await run.communicate()
    assert run.returncode == 2
    (line,) = stderr.decode().strip().splitlines()
    assert line.startswith("session-store: the CA for Redis")
    assert said in line


async def test_a_cluster_over_tls_is_checked_by_one_name(tmp_path: Path) -> None:
    """Nodes are dialled by their addresses, and have the certificate of the whole."""
    async with redis_cluster_over_tls(tmp_path, "cache.example.com") as first:
        named = RedisTLS(ca=first.files.ca, name="cache.example.com")
        async with HotStore(first.url, tls=named, cluster=True, durability="memory") as hot:
            keys = [f"k{n}" for n in range(30)]
            await asyncio.gather(*(hot.run(WRITE, [key], ["v"], durable=True) for key in keys))
            async with Subscriptions(hot) as subscriptions, subscriptions.to("channel") as feed:
                await hot.command("PUBLISH", "channel", "hi")
                assert await feed.next(5) == b"hi"
        async with HotStore(first.url, tls=first.tls, cluster=True) as hot:
            with pytest.raises(MeshError, match="another host's"):
                await hot.ping()
