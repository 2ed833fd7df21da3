"""The Entra identity of this process: one DefaultAzureCredential, however many clients use it.

    credential = process_credential()              # for clients that block
    credential = process_credential_async()        # for clients of asyncio
    credential.close()                             # or: await credential.close()

Each call gives a handle to the one credential, so that its tokens are fetched once; the last handle
that is closed closes it. The only module that imports azure-identity.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, Self

KEEP_SECONDS = 300.0
"""A bearer token is asked for again when it has less than this left, as the SDK itself does."""


class TokenUnavailable(Exception):
    """The identity gave no token. The message says for what and how."""


class _Shared:
    """The credential and how many handles to it are open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._credential: Any = None
        self._handles = 0

    def open(self) -> Any:
        """The credential, made for the first handle. Raises ImportError without azure-identity."""
        from azure.identity import DefaultAzureCredential

        with self._lock:
            if self._credential is None:
                self._credential = DefaultAzureCredential()
            self._handles += 1
            return self._credential

    def close(self) -> None:
        """One handle less."""
        with self._lock:
            self._handles -= 1
            if self._handles:
                return
            credential, self._credential = self._credential, None
        credential.close()


_shared = _Shared()


class _Handle:
    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self._credential = shared.open()
        self._closed = False

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._shared.close()


class ProcessCredential(_Handle):
    """A TokenCredential of azure-core. Any thread may ask it."""

    def get_token(self, *scopes: str, **options: Any) -> Any:
        """An AccessToken; blocks while one is fetched."""
        return self._credential.get_token(*scopes, **options)

    def get_token_info(self, *scopes: str, options: Any = None) -> Any:
        """An AccessTokenInfo, which says when to refresh too; blocks while one is fetched."""
        return self._credential.get_token_info(*scopes, options=options)

    def close(self) -> None:
        """Give the handle back. Idempotent."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncProcessCredential(_Handle):
    """The same as an AsyncTokenCredential: it waits in a thread, not on the loop."""

    async def get_token(self, *scopes: str, **options: Any) -> Any:
        """An AccessToken."""
        return await asyncio.to_thread(self._credential.get_token, *scopes, **options)

    async def get_token_info(self, *scopes: str, options: Any = None) -> Any:
        """An AccessTokenInfo, which says when to refresh too."""
        asked = self._credential.get_token_info
        return await asyncio.to_thread(asked, *scopes, options=options)

    async def close(self) -> None:
        """Give the handle back. Idempotent."""
        self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def process_credential() -> ProcessCredential:
    """A handle for clients that block. Raises ImportError without azure-identity."""
    return ProcessCredential(_shared)


def process_credential_async() -> AsyncProcessCredential:
    """A handle for clients of asyncio. Raises ImportError without azure-identity."""
    return AsyncProcessCredential(_shared)


class BearerTokens:
    """Tokens of one scope, for a client that asks before each request; call it.

    The newest is kept, so that a request waits for no thread. Raises ImportError without
    azure-identity.
    """

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._credential = process_credential_async()
        self._token: Any = None
        self._fetching = asyncio.Lock()

    async def __call__(self) -> str:
        """A token that holds for a while. Raises TokenUnavailable."""
        async with self._fetching:
            if self._token is None or self._token.expires_on - time.time() < KEEP_SECONDS:
                self._token = await self._fetch()
            return str(self._token.token)

    async def aclose(self) -> None:
        """Give the handle back."""
        await self._credential.close()

    async def _fetch(self) -> Any:
        try:
            return await self._credential.get_token(self._scope)
        except Exception as error:  # its text may tell more than a caller should know
            raise TokenUnavailable(
                f"no Entra token for {self._scope}: {type(error).__name__}"
            ) from None
