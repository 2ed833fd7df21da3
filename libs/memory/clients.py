"""The clients of redis-py that a HotStore runs on: one server, or a cluster by one of its nodes.

Both are told to leave retries, waits for a connection and the reading of replies to the HotStore.
"""

from __future__ import annotations

from typing import Any

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider

_SPARE_CONNECTIONS = 4
"""For subscriptions, beside those that requests take turns with."""

_ITS_OWN = ("CLUSTER", "COMMAND")
"""What a cluster client asks and reads for itself."""

Client = redis.Redis | redis.RedisCluster


def open_client(
    url: str,
    *,
    cluster: bool,
    timeout: float,
    max_connections: int,
    credentials: CredentialProvider | None,
) -> Client:
    """A client that is not connected yet. Raises ValueError for a URL that is none."""
    options: dict[str, Any] = {
        "max_connections": max_connections + _SPARE_CONNECTIONS,
        "socket_timeout": None,  # each operation has a deadline; a second timer costs a task
        "socket_connect_timeout": timeout,
        "protocol": 2,
        "credential_provider": credentials,
    }
    client = _cluster(url, options) if cluster else _standalone(url, options, credentials)
    callbacks: Any = client.response_callbacks
    for name in [name for name in callbacks if not str(name).startswith(_ITS_OWN)]:
        del callbacks[name]  # replies as the server gives them
    return client


def _standalone(
    url: str, options: dict[str, Any], credentials: CredentialProvider | None
) -> redis.Redis:
    pool = redis.ConnectionPool.from_url(url, retry=Retry(NoBackoff(), 0), **options)
    # Not `from_pool`, which would not have live connections told of new credentials.
    client = redis.Redis(connection_pool=pool, credential_provider=credentials)
    client.auto_close_connection_pool = True
    return client


def _cluster(url: str, options: dict[str, Any]) -> redis.RedisCluster:
    # One retry is the cluster client's own: after a node moved or went, with the slots read anew.
    return redis.RedisCluster.from_url(url, retry=Retry(NoBackoff(), 1), **options)
