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

from memory.tls import FollowedContext, FollowingConnection, RedisTLS

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
    over_tls = _over_tls(url, tls)
    if cluster:
        client: Client = _cluster(url, options, over_tls)
    else:
        client = _standalone(url, options, over_tls, credentials)
    callbacks: Any = client.response_callbacks
    for name in [name for name in callbacks if not str(name).startswith(_ITS_OWN)]:
        del callbacks[name]  # replies as the server gives them
    return client


def _over_tls(url: str, tls: RedisTLS) -> dict[str, Any]:
    """What makes connections of a rediss:// URL ours; nothing for another."""
    asked = parse_url(url)
    if asked.get("connection_class") is not redis.SSLConnection:
        return {}
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
    over_tls: dict[str, Any],
    credentials: CredentialProvider | None,
) -> redis.Redis:
    # As the pool's `from_url`, but that the kind of connection is ours.
    told = options | {"retry": Retry(NoBackoff(), 0)} | dict(parse_url(url)) | over_tls
    pool = redis.ConnectionPool(**told)
    # Not `from_pool`, which would not have live connections told of new credentials.
    client = redis.Redis(connection_pool=pool, credential_provider=credentials)
    client.auto_close_connection_pool = True
    return client


def _cluster(url: str, options: dict[str, Any], over_tls: dict[str, Any]) -> redis.RedisCluster:
    # One retry is the cluster client's own: after a node moved or went, with the slots read anew.
    client = redis.RedisCluster.from_url(url, retry=Retry(NoBackoff(), 1), **options)
    # Its constructor takes no kind of connection; these two are where nodes have it from.
    client.connection_kwargs.update(over_tls)
    for node in client.startup_nodes if over_tls else ():
        node.connection_class = FollowingConnection
        node.connection_kwargs.update(over_tls)
        del node.connection_kwargs["connection_class"]
    return client
