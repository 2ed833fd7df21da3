"""Entra tokens as Redis credentials: fetched ahead of time, never on the way of a command.

The user name is the token's `oid`, the password the token. A task fetches the next token while the
old one is still good and has live connections authenticate again, so that none is dropped. Azure
closes a connection whose token has run out.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import inspect
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, Self

from redis.auth.token import SimpleToken
from redis.credentials import StreamingCredentialProvider

from meshkit.clock import Clock, SystemClock
from meshkit.errors import MeshError, Reason
from meshkit.logging import get_logger

logger = get_logger("memory.entra")

SCOPE = "https://redis.azure.com/.default"
REFRESH_FRACTION = 0.7
"""A token is replaced after this part of its life."""
LEAST_SECONDS = 1.0
"""Between two looks: the SDK keeps a token until five minutes before its end, and the rest of a life
that is looked at after 70 % of itself gets ever shorter."""
RETRY_SECONDS = 5.0
"""Pause after a token could not be fetched."""


class AccessToken(Protocol):
    """As azure-core's."""

    @property
    def token(self) -> str:
        """The JWT."""
        ...

    @property
    def expires_on(self) -> int:
        """Seconds since the epoch."""
        ...


class Credential(Protocol):
    """A credential of azure-identity, or of azure-identity.aio."""

    def get_token(self, *scopes: str) -> Any:
        """An AccessToken, or an awaitable of one."""
        ...


class EntraCredentials(StreamingCredentialProvider):
    """Tokens of a credential for redis-py, as an async context manager that owns the refresh.

    `user_name` overrides the token's `oid`. A synchronous credential is asked in a thread.
    """

    def __init__(
        self,
        credential: Credential,
        *,
        scope: str = SCOPE,
        user_name: str = "",
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._credential, self._scope, self._user_name = credential, scope, user_name
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._token: SimpleToken | None = None
        self._listeners: list[Callable[[Any], Any]] = []
        self._fetching: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [task for task in (self._refreshing, self._fetching) if task is not None]
        self._refreshing = self._fetching = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def waiting(self) -> bool:
        """Whether the first token, or the one after it ran out, is being fetched."""
        return self._fetching is not None and not self._fetching.done()

    @property
    def scope(self) -> str:
        """What tokens are asked for."""
        return self._scope

    async def get_credentials_async(self) -> tuple[str, str]:
        """User and token, for a new connection. Raises STORE_UNAVAILABLE if there is no token."""
        if self._token is None or self._seconds_left(self._token) <= 0:
            # Of many first connections one fetches; who waits no longer does not end it for others,
            # nor for the next attempt: an identity endpoint may take longer than one operation.
            await asyncio.shield(self._fetched())
        assert self._token is not None
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh())
        return _pair(self._token)

    def get_credentials(self) -> tuple[str, str]:
        """The same for a blocking connection, with a synchronous credential or after the first."""
        if self._token is None or self._seconds_left(self._token) <= 0:
            found = self._credential.get_token(self._scope)
            if inspect.isawaitable(found):
                found.close() if inspect.iscoroutine(found) else None
                raise MeshError(
                    Reason.STORE_UNAVAILABLE,
                    "an async credential cannot serve a blocking call; await ping_async() first",
                )
            self._token = self._taken(found)
        return _pair(self._token)

    def on_next(self, callback: Callable[[Any], Any]) -> None:
        """Have live connections told of each new token; a cluster's client asks again and again."""
        if callback not in self._listeners:
            self._listeners.append(callback)

    def on_error(self, callback: Callable[[Exception], Any]) -> None:
        """Failures are logged and tried again; a connection fails only once its token runs out."""

    def is_streaming(self) -> bool:
        """Whether new tokens come by themselves."""
        return True

    def _fetched(self) -> asyncio.Task[None]:
        if not self.waiting:
            self._fetching = asyncio.create_task(self._take())
            self._fetching.add_done_callback(_heard)
        assert self._fetching is not None
        return self._fetching

    async def _take(self) -> None:
        self._token = await self._fetch()

    async def _refresh(self) -> None:
        while True:
            await self._sleep(self._pause())
            while not await self._renewed():
                await self._sleep(RETRY_SECONDS * (0.5 + random.random() / 2))  # noqa: S311

    async def _renewed(self) -> bool:
        try:
            before, self._token = self._token, await self._fetch()
        except MeshError as error:
            logger.warning("token not refreshed", extra={"cause": error.message})
            return False
        if before is None or before.get_value() != self._token.get_value():
            await self._tell(self._token)  # else the SDK keeps its own until five minutes before
        return True

    async def _tell(self, token: SimpleToken) -> None:
        for listener in self._listeners:
            try:
                await listener(token)
            except Exception as error:
                # A connection that broke as it was told; it asks for the token when it is back.
                logger.warning("connection not told its token", extra={"cause": repr(error)})

    def _pause(self) -> float:
        if self._token is None:
            return LEAST_SECONDS
        life = (self._token.expires_at - self._token.received_at) / 1000
        spent = life - self._seconds_left(self._token)
        return max(LEAST_SECONDS, life * REFRESH_FRACTION * (0.9 + random.random() / 10) - spent)  # noqa: S311

    async def _fetch(self) -> SimpleToken:
        try:
            if inspect.iscoroutinefunction(self._credential.get_token):
                found = await self._credential.get_token(self._scope)
            else:
                found = await asyncio.to_thread(self._credential.get_token, self._scope)
        except Exception as error:  # each SDK has errors of its own
            raise MeshError(
                Reason.STORE_UNAVAILABLE,
                f"no Entra token for {self._scope}: {type(error).__name__}",
                retry_after_seconds=RETRY_SECONDS,
            ) from error
        return self._taken(found)

    def _taken(self, found: AccessToken) -> SimpleToken:
        now = self._clock.now().timestamp() * 1000
        user = self._user_name or _object_id(found.token)
        return SimpleToken(found.token, found.expires_on * 1000, now, {"oid": user})

    def _seconds_left(self, token: SimpleToken) -> float:
        return float(token.expires_at) / 1000 - self._clock.now().timestamp()


def _heard(task: asyncio.Task[None]) -> None:
    """Take note of an error that nobody waited for; whoever comes next tries again."""
    if not task.cancelled():
        task.exception()


def _pair(token: SimpleToken) -> tuple[str, str]:
    return token.try_get("oid"), token.get_value()


def _object_id(token: str) -> str:
    """The `oid` of a JWT. Redis checks the signature; we only need to say who we are."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["oid"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        raise MeshError(
            Reason.STORE_UNAVAILABLE,
            "the Entra token names no object id (oid); set REDIS_USER_NAME to the identity's",
        ) from None
