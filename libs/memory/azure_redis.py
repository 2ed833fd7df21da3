"""AzureRedisManager: Azure's Redis by host and credential, with the calls of the predecessor.

    redis_mgr = AzureRedisManager(host="name.region.redis.azure.net", credential=credential)
    await redis_mgr.set_value_async(f"session:{session_id}", data, expire=3600)

Any Redis will do: with an Entra credential, with an access key, or with neither. Methods ending in
`_async` are for event loops; `get_session_data` and `load_memo` block and are for code without one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Self, cast
from urllib.parse import quote

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

from memory.entra import SCOPE, Credential, EntraCredentials
from memory.hotstore import RETRY_SECONDS, HotStore
from memory.memo_store import HistoryEntry, Memo, MemoChanges
from memory.scripts import Value, load_script
from memory.tls import RedisTLS, explained
from meshkit.errors import MeshError, Reason

DEFAULT_PORT = 10000
"""Of Azure Managed Redis; Azure Cache for Redis listens on 6380."""
_CACHE_SUFFIX = ".redis.cache.windows.net"
_CACHE_PORT = 6380

Plain = str | bytes | int | float


class AzureRedisManager:
    """One Redis, as an async context manager or closed by `aclose`.

    What is not given is read from REDIS_HOST, REDIS_PORT, REDIS_ACCESS_KEY, REDIS_USER_NAME,
    REDIS_SCOPE and REDIS_USE_CLUSTER. With `credential` tokens are used, else the key, else nothing.
    `use_cluster`: the host is of a cluster whose nodes clients must know, as Azure's clustering
    policy OSS; all have the host's certificate. `ssl_ca_certs`: PEM file of the CAs to trust;
    default: the machine's. `timeout`: seconds an operation may take.
    Raises ValueError without a host, RedisTLSRefused for that file, and MeshError
    (STORE_UNAVAILABLE, STORE_FULL) from each operation.
    """

    def __init__(
        self,
        host: str | None = None,
        access_key: str | None = None,
        port: int | None = None,
        db: int = 0,
        ssl: bool = True,
        credential: Credential | None = None,
        user_name: str | None = None,
        scope: str | None = None,
        *,
        use_cluster: bool | None = None,
        timeout: float = 2.0,
        ssl_ca_certs: str | None = None,
    ) -> None:
        host = host or os.environ.get("REDIS_HOST", "")
        if not host:
            raise ValueError("no Redis host: give `host`, or set REDIS_HOST")
        key = access_key or os.environ.get("REDIS_ACCESS_KEY", "")
        user = user_name or os.environ.get("REDIS_USER_NAME", "")
        self._credentials = None
        if credential is not None:
            scope = scope or os.environ.get("REDIS_SCOPE", SCOPE)
            self._credentials = EntraCredentials(credential, scope=scope, user_name=user)
        secret = (
            f"{quote(user, safe='')}:{quote(key, safe='')}@" if key and credential is None else ""
        )
        self._url = f"{'rediss' if ssl else 'redis'}://{secret}{host}:{_port(host, port)}/{db}"
        self._timeout = timeout
        if use_cluster is None:
            use_cluster = os.environ.get("REDIS_USE_CLUSTER", "").lower() in ("1", "true", "yes")
        self._host, self._cluster = host, use_cluster
        self._tls = RedisTLS(ca=ssl_ca_certs or "", name=host if use_cluster else "")
        self._hot = HotStore(
            self._url,
            timeout=timeout,
            credentials=self._credentials,
            cluster=use_cluster,
            tls=self._tls,
        )
        self._blocking: redis.Redis | RedisCluster | None = None
        self._save = load_script("memory", "save_memo")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections and end the token refresh."""
        async with AsyncExitStack() as stack:
            if self._credentials is not None:
                stack.push_async_exit(self._credentials)
            stack.push_async_exit(self._hot)
            if self._blocking is not None:
                self._blocking.close()

    async def ping_async(self) -> bool:
        """True once Redis answered."""
        await self._hot.ping()
        return True

    async def set_value_async(self, key: str, value: object, expire: float | None = None) -> None:
        """Write a value for `expire` seconds, or for good. What is no text or number becomes JSON."""
        life = ("PX", round(expire * 1000)) if expire is not None else ()
        await self._hot.command("SET", key, _plain(value), *life)

    async def get_value_async(self, key: str) -> str | None:
        """The value, None if there is none."""
        found = await self._hot.command("GET", key)
        return None if found is None else found.decode()

    async def delete_value_async(self, *keys: str) -> int:
        """Delete keys of whatever kind; how many there were."""
        if not self._cluster:
            return int(await self._hot.command("UNLINK", *keys))
        return sum([int(await self._hot.command("UNLINK", key)) for key in keys])

    async def expire_async(self, key: str, seconds: float) -> bool:
        """Have a key live for so long from now; False if there is none."""
        return bool(await self._hot.command("PEXPIRE", key, round(seconds * 1000)))

    async def store_session_data_async(self, key: str, fields: Mapping[str, object]) -> None:
        """Write fields of a hash; its other fields stay."""
        flat: list[Value] = []
        for name, value in fields.items():
            flat += (name, _plain(value))
        await self._hot.command("HSET", key, *flat)

    async def get_session_data_async(self, key: str) -> dict[str, str]:
        """All fields of a hash."""
        return _fields(await self._hot.command("HGETALL", key))

    async def update_session_field_async(self, key: str, field: str, value: object) -> None:
        """Write one field of a hash."""
        await self._hot.command("HSET", key, field, _plain(value))

    async def delete_session_field_async(self, key: str, *fields: str) -> int:
        """Remove fields of a hash; how many there were."""
        return int(await self._hot.command("HDEL", key, *fields))

    async def push_async(self, key: str, *values: object) -> int:
        """Add to the end of a list; its length then. An error leaves open whether they were added."""
        plain = map(_plain, values)
        return int(await self._hot.command("RPUSH", key, *plain, repeatable=False))

    async def list_async(self, key: str, start: int = 0, end: int = -1) -> list[str]:
        """Entries of a list, from and to, both included; negative from the end."""
        return [entry.decode() for entry in await self._hot.command("LRANGE", key, start, end)]

    async def publish_channel_async(self, channel: str, message: str) -> int:
        """Tell the listeners of a channel; how many there were."""
        return int(await self._hot.command("PUBLISH", channel, message, repeatable=False))

    def get_session_data(self, key: str) -> dict[str, str]:
        """All fields of a hash. Blocks for `timeout` seconds at most."""
        try:
            found = cast("dict[bytes, bytes]", self._blocking_client().hgetall(key))
        except (
            exceptions.ConnectionError,
            exceptions.TimeoutError,
            exceptions.RedisClusterException,
            OSError,
        ) as error:
            over_tls = explained(error) if self._url.startswith("rediss:") else ""
            raise MeshError(
                Reason.STORE_UNAVAILABLE,
                f"Redis at {self._hot.address} cannot be reached:"
                f" {over_tls or type(error).__name__}",
                retry_after_seconds=RETRY_SECONDS,
            ) from None
        return {field.decode(): value.decode() for field, value in found.items()}

    def load_memo(self, session_id: str) -> Memo:
        """As MemoStore says."""
        context, history = _memo_keys(session_id)
        return _memo(self.get_session_data(context), self.get_session_data(history))

    async def load_memo_async(self, session_id: str) -> Memo:
        """As MemoStore says."""
        context, history = _memo_keys(session_id)
        kept = await self.get_session_data_async(context)
        return _memo(kept, await self.get_session_data_async(history))

    async def load_value_async(self, session_id: str, key: str) -> str | None:
        """As MemoStore says."""
        found = await self._hot.command("HGET", _memo_keys(session_id)[0], key)
        return None if found is None else found.decode()

    async def save_memo_async(
        self, session_id: str, changes: MemoChanges, ttl_seconds: float
    ) -> None:
        """As MemoStore says."""
        written = [part for pair in changes.written.items() for part in pair]
        entries: list[str] = []
        for entry in changes.appended:
            entries += (entry.entry_id, json.dumps([entry.agent, entry.role, entry.content]))
        args: list[Value] = [round(ttl_seconds * 1000)]
        for part in (written, changes.removed, entries, changes.cleared):
            args += (len(part), *part)
        await self._hot.run(self._save, _memo_keys(session_id), args)

    def _blocking_client(self) -> redis.Redis | RedisCluster:
        if self._blocking is None:
            options: dict[str, Any] = {
                "socket_timeout": self._timeout,
                "socket_connect_timeout": self._timeout,
                "retry": Retry(NoBackoff(), 1),
                "protocol": 2,
                "credential_provider": self._credentials,
            }
            if self._tls.ca:
                options["ssl_ca_certs"] = self._tls.ca
            if (
                self._cluster
            ):  # nodes are dialled by the host's name, for which their certificate is
                options["address_remap"] = lambda address: (self._host, address[1])
                self._blocking = RedisCluster.from_url(self._url, **options)
            else:
                self._blocking = redis.Redis.from_url(self._url, **options)
        return self._blocking


def _port(host: str, port: int | None) -> int:
    given = port or int(os.environ.get("REDIS_PORT", "0"))
    return given or (_CACHE_PORT if host.endswith(_CACHE_SUFFIX) else DEFAULT_PORT)


def _plain(value: object) -> Value:
    if isinstance(value, bool) or not isinstance(value, str | bytes | int | float):
        return json.dumps(value)
    return repr(value) if isinstance(value, float) else value


def _fields(flat: list[bytes]) -> dict[str, str]:
    return {
        name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)
    }


def _memo_keys(session_id: str) -> list[str]:
    return [f"session:{{{session_id}}}:{part}" for part in ("context", "history")]


def _memo(context: Mapping[str, str], history: Mapping[str, str]) -> Memo:
    entries = [HistoryEntry(entry_id, *json.loads(text)) for entry_id, text in history.items()]
    return Memo(dict(context), sorted(entries, key=lambda entry: entry.entry_id))
