"""The clients of redis-py that a HotStore runs on: one server, or a cluster by one of its nodes.

Both are told to leave retries, waits for a connection and the reading of replies to the HotStore.
"""

from __future__ import annotations

from typing import Any

import redis.asyncio as redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider

from memory.connections import FollowingConnection, PlainConnection
from memory.tls import FollowedContext, RedisTLS

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
    tls: RedisTLS,
) -> Client:
    """A client that is not connected yet. `tls` is for a URL of rediss://, which alone encrypts.

    Raises ValueError for a URL that is none, RedisTLSRefused.
    """
    options: dict[str, Any] = {
        "max_connections": max_connections + _SPARE_CONNECTIONS,
        "socket_timeout": None,  # each operation has a deadline; a second timer costs a task
        "socket_connect_timeout": timeout,
        "protocol": 2,
        "credential_provider": credentials,
    }
    ours = _connections(url, tls)
    if cluster:
        client: Client = _cluster(url, options, ours)
    else:
        client = _standalone(url, options, ours, credentials)
    callbacks: Any = client.response_callbacks
    for name in [name for name in callbacks if not str(name).startswith(_ITS_OWN)]:
        del callbacks[name]  # replies as the server gives them
    return client


def _connections(url: str, tls: RedisTLS) -> dict[str, Any]:
    """The kind of connection that a URL asks for, and what it is told."""
    asked = parse_url(url)
    kind = asked.get("connection_class")
    if kind is None:
        return {"connection_class": PlainConnection}
    if kind is not redis.SSLConnection:
        raise ValueError("sockets are not supported; write redis:// or rediss://")
    if unread := sorted(name for name in asked if name.startswith("ssl_")):
        raise ValueError(
            f"{', '.join(unread)} in the URL is not read; say it in redis_tls_ settings"
        )
    return {
        "connection_class": FollowingConnection,
        "tls_context": FollowedContext(tls),
        "tls_name": tls.name,
    }


def _standalone(
    url: str,
    options: dict[str, Any],
    ours: dict[str, Any],
    credentials: CredentialProvider | None,
) -> redis.Redis:
    # As the pool's `from_url`, but that the kind of connection is ours.
    told = options | {"retry": Retry(NoBackoff(), 0)} | dict(parse_url(url)) | ours
    pool = redis.ConnectionPool(**told)
    # Not `from_pool`, which would not have live connections told of new credentials.
    client = redis.Redis(connection_pool=pool, credential_provider=credentials)
    client.auto_close_connection_pool = True
    return client


def _cluster(url: str, options: dict[str, Any], ours: dict[str, Any]) -> redis.RedisCluster:
    # One retry is the cluster client's own: after a node moved or went, with the slots read anew.
    client = redis.RedisCluster.from_url(url, retry=Retry(NoBackoff(), 1), **options)
    # Its constructor takes no kind of connection; these two are where nodes have it from.
    client.connection_kwargs.update(ours)
    told = {name: value for name, value in ours.items() if name != "connection_class"}
    for node in client.startup_nodes:
        node.connection_class = ours["connection_class"]
        node.connection_kwargs.update(told)
    return client
