"""The connection to Redis: one pool, bounded waits and retries, errors with a reason.

    async with HotStore("redis://127.0.0.1:6390/0") as store:
        reply = await store.run(script, keys=["a{1}"], args=["x"])

Scripts must be safe to run twice, because an answer may be lost after the server has acted. Works
with Redis 7.0 and later and with Valkey.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from redis import exceptions
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.credentials import CredentialProvider

from memory.batches import MOST_TOGETHER, Batches, Command
from memory.clients import open_client
from memory.entra import EntraCredentials
from memory.scripts import Script, ScriptCall, Value
from memory.tls import RedisTLS, explained
from meshkit.errors import MeshError, Reason
from meshkit.logging import get_logger

logger = get_logger("memory.hotstore")

T = TypeVar("T")
Durability = Literal["disk", "replica", "memory"]
"""When a durable write counts as kept: fsynced to the append-only file (WAITAOF, Redis 7.2 and
Valkey), acknowledged by a replica (WAIT), or at once because the deployment accepts the loss."""

RETRY_SECONDS = 1.0
"""What callers are told to wait when the store is away."""

_UNREACHABLE = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.ClusterDownError,
    exceptions.RedisClusterException,
    exceptions.TryAgainError,
    OSError,
    TimeoutError,
)


class HotStore:
    """Runs scripts and commands on Redis. Raises MeshError and nothing of redis.

    `timeout` is the budget in seconds of one operation with its retries, unless the operation names
    a smaller one. `credentials` tells who we are at each new connection, and again while connections
    live; without it the URL does. `cluster`: the URL is of any node of one. `tls` is for rediss://.
    Raises ValueError for a URL that is none, RedisTLSRefused for files that cannot serve.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 2.0,
        attempts: int = 3,
        max_connections: int = 64,
        durability: Durability = "disk",
        credentials: CredentialProvider | None = None,
        cluster: bool = False,
        tls: RedisTLS | None = None,
    ) -> None:
        self._timeout, self._attempts = timeout, attempts
        self._durability, self._credentials = durability, credentials
        self._loaded: set[tuple[str, ClusterNode | None]] = set()
        self.address, self._over_tls = _shown(url), url.startswith("rediss:")
        self._client = open_client(
            url,
            cluster=cluster,
            timeout=timeout,
            max_connections=max_connections,
            credentials=credentials,
            tls=tls or RedisTLS(),
        )
        self._turns = asyncio.Semaphore(max_connections)
        # A batch is of one server: where one of a cluster is away, the others are not held up.
        self._batches = (
            None
            if isinstance(self._client, RedisCluster)
            else Batches(self._client.connection_pool, self._turns)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._batches is not None:
            await self._batches.aclose()
        await self._client.aclose()

    async def run(
        self,
        script: Script,
        keys: Sequence[str],
        args: Sequence[Value] = (),
        *,
        timeout: float | None = None,
        durable: bool = False,
    ) -> Any:
        """Run a script, in one round trip once the server has it; its reply.

        With `durable` the answer comes after what it wrote is kept as the store's durability says,
        and otherwise raises STORE_NOT_DURABLE. Raises STORE_UNAVAILABLE and STORE_FULL.
        """
        body = (len(keys), *keys, *args)
        once = self._durably if durable and self._durability != "memory" else self._once
        return await self._retrying(lambda left: once(script, body, left), timeout)

    async def run_together(
        self, calls: Sequence[ScriptCall], *, timeout: float | None = None
    ) -> list[Any]:
        """Run scripts on unrelated keys in one round trip, each a step of its own, in this order.

        The first that fails is raised; the others may have run.
        """
        return await self._retrying(lambda left: self._together(calls, left), timeout)

    async def _together(self, calls: Sequence[ScriptCall], left: float) -> list[Any]:
        commands = [("EVALSHA", call.script.sha, *call.body()) for call in calls]
        replies = await self._replies(commands, left)
        for index, (call, reply) in enumerate(zip(calls, replies, strict=True)):
            if isinstance(reply, exceptions.NoScriptError):
                replies[index] = await self._execute("EVAL", call.script.text, *call.body())
            elif isinstance(reply, Exception):
                raise reply
        return replies

    async def _replies(self, commands: Sequence[Command], left: float) -> list[Any]:
        """The replies to commands in one round trip, with the errors among them."""
        if self._batches is not None and len(commands) <= MOST_TOGETHER:
            return await self._batches.run(commands, left)
        if len(commands) == 1:
            try:
                return [await self._execute(*commands[0])]
            except exceptions.ResponseError as error:
                return [error]
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        async with self._turns:
            return list(await pipeline.execute(raise_on_error=False))

    async def _execute(self, *parts: Value, **options: Any) -> Any:
        async with self._turns:
            return await self._client.execute_command(*parts, **options)

    async def command(
        self, *parts: Value, timeout: float | None = None, repeatable: bool = True
    ) -> Any:
        """Run one command; its reply. Raises as `run` does.

        Give `repeatable` False if the command must not run twice; then an error leaves open whether
        it ran.
        """
        return await self._retrying(
            lambda _: self._execute(*parts), timeout, self._attempts if repeatable else 1
        )

    async def subscriber(self) -> Any:
        """A connection of its own for messages of other processes; for `Subscriptions`."""
        if isinstance(self._client, RedisCluster):
            await self._client.initialize()  # it must know a node to listen at
        return self._client.pubsub()

    async def facts(self) -> bytes:
        """The server's INFO; that of one node of a cluster."""
        told = await self.command("INFO")
        return next(iter(told.values())) if isinstance(told, dict) else bytes(told)

    async def ping(self) -> None:
        """Raises STORE_UNAVAILABLE unless the server answers."""
        await self.command("PING")

    async def _once(self, script: Script, body: Sequence[Value], left: float) -> Any:
        (reply,) = await self._replies([("EVALSHA", script.sha, *body)], left)
        if isinstance(reply, exceptions.NoScriptError):
            return await self._execute("EVAL", script.text, *body)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def _durably(self, script: Script, body: Sequence[Value], left: float) -> Any:
        node = await self._node(body)
        if (script.sha, node) not in self._loaded:  # a wait behind a missing script is lost time
            await self._execute("SCRIPT", "LOAD", script.text, **_at(node))
            self._loaded.add((script.sha, node))
        reply, kept = await self._pipelined(("EVALSHA", script.sha, *body), left, node)
        if isinstance(reply, exceptions.NoScriptError) or await self._node(body) is not node:
            # Forgotten, or run where the slot has moved to, whereas the wait was here.
            self._loaded.discard((script.sha, node))
            return await self._durably(script, body, left / 2)
        if isinstance(reply, Exception):
            raise reply
        _check_kept(kept, self._durability)
        return reply

    async def _pipelined(
        self, command: Sequence[Value], left: float, node: ClusterNode | None
    ) -> tuple[Any, Any]:
        """A command and the wait, which counts what its own connection wrote: both go down one."""
        milliseconds = max(1, int(left * 700))
        pipeline = self._client.pipeline(transaction=False)
        pipeline.execute_command(*command)
        if self._durability == "disk":
            pipeline.execute_command("WAITAOF", 1, 0, milliseconds, **_at(node))
        else:
            pipeline.execute_command("WAIT", 1, milliseconds, **_at(node))
        async with self._turns:
            reply, kept = await pipeline.execute(raise_on_error=False)
        return reply, kept

    async def _node(self, body: Sequence[Value]) -> ClusterNode | None:
        """The node of a script's keys in a cluster, None where there is but one server."""
        if isinstance(self._client, RedisCluster):
            await self._client.initialize()
            return self._client.get_node_from_key(str(body[1]))
        return None

    async def _retrying(
        self,
        operation: Callable[[float], Awaitable[T]],
        timeout: float | None,
        attempts: int | None = None,
    ) -> T:
        attempts = attempts or self._attempts
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(self._timeout, timeout or self._timeout)
        for attempt in range(attempts):
            try:
                async with asyncio.timeout_at(deadline):
                    return await operation(deadline - loop.time())
            except exceptions.AuthenticationError as error:
                raise self._unavailable("refused our credentials", error) from None
            except _UNREACHABLE as error:
                pause = 0.05 * 2.0**attempt * (0.5 + random.random() / 2)  # noqa: S311 (jitter)
                if attempt + 1 == attempts or loop.time() + pause >= deadline:
                    raise self._unavailable("cannot be reached", error) from None
                await asyncio.sleep(pause)
            except exceptions.ResponseError as error:
                raise _refusal(error) from None
        raise AssertionError("a store has at least one attempt")

    def _told(self, cause: Exception) -> str:
        if isinstance(self._credentials, EntraCredentials) and self._credentials.waiting:
            return f"there is no Entra token for {self._credentials.scope} yet"
        over_tls = explained(cause) if self._over_tls else ""
        return over_tls or str(cause) or type(cause).__name__

    def _unavailable(self, what: str, cause: Exception) -> MeshError:
        return MeshError(
            Reason.STORE_UNAVAILABLE,
            f"Redis at {self.address} {what}: {self._told(cause)}",
            retry_after_seconds=RETRY_SECONDS,
        )


def _at(node: ClusterNode | None) -> dict[str, Any]:
    """For commands without a key, which a cluster client would send anywhere."""
    return {} if node is None else {"target_nodes": [node]}


def _shown(url: str) -> str:
    """`host:port` of the URL, without its password."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path


def _check_kept(kept: Any, durability: Durability) -> None:
    if isinstance(kept, Exception):
        raise _not_durable(
            f"the server cannot tell that a write is kept ({kept}); append-only persistence of"
            " Redis 7.2 or Valkey is needed, or VOICEMESH_STORE_DURABILITY says otherwise"
        )
    count = kept[0] if durability == "disk" else kept
    if int(count) < 1:
        raise _not_durable(f"the write was not kept ({durability}) in time")


def _not_durable(message: str) -> MeshError:
    return MeshError(Reason.STORE_NOT_DURABLE, message, retry_after_seconds=RETRY_SECONDS)


def _refusal(error: exceptions.ResponseError) -> MeshError:
    """What an answer of the server that is an error means to our callers."""
    text = str(error)
    if isinstance(error, exceptions.OutOfMemoryError) or "OOM " in text:
        return MeshError(
            Reason.STORE_FULL,
            "Redis is out of memory; raise maxmemory or let sessions expire sooner",
            retry_after_seconds=RETRY_SECONDS,
        )
    if text.startswith(("MISCONF", "NOREPLICAS")) or "MISCONF" in text:
        return _not_durable(f"Redis refuses writes that it cannot keep: {text}")
    if "WRONGTYPE" in text:
        text = f"a key of ours holds another type; something else writes to this database: {text}"
    logger.error("redis refused a command", extra={"cause": text})
    return MeshError(Reason.INTERNAL_ERROR, "the store refused a command; its log says why")
