"""Connections to Redis that are used whole or not at all; over TLS with certificates that follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.asyncio.connection import Connection, SSLConnection

from memory.tls import FollowedContext


class _Introduced:
    """Closes a connection that was opened and not introduced.

    redis-py does so for its own errors only: where our credentials have no token, or nobody waits any
    longer, it would be used again as if we had logged in.
    """

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        """Log in, and choose the database."""
        try:
            await super().on_connect_check_health(check_health)  # type: ignore[misc]
        except BaseException:
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise


class PlainConnection(_Introduced, Connection):
    """Without TLS."""


class FollowingConnection(_Introduced, SSLConnection):
    """Over TLS. `tls_name`: the name that the certificate is checked for; empty: the dialled host."""

    def __init__(self, *, tls_context: FollowedContext, tls_name: str, **options: Any) -> None:
        super().__init__(**options)
        self.ssl_context = tls_context
        self._tls_name = tls_name

    def _connection_arguments(self) -> Mapping[str, Any]:
        named = {"server_hostname": self._tls_name} if self._tls_name else {}
        return {**super()._connection_arguments(), **named}
