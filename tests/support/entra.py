"""A credential as azure-identity's, whose tokens are real JWTs that nobody signed."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Token:
    """As azure-core's AccessToken."""

    token: str
    expires_on: int


def jwt(**claims: object) -> str:
    """An unsigned token with these claims."""
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + ".x"


@dataclass
class TokenCredential:
    """Gives numbered tokens for an identity, each good for `life` seconds by `now`."""

    oid: str
    life: int = 3600
    now: Callable[[], float] = lambda: 2_000_000_000.0
    asked: list[str] = field(default_factory=list)
    failing: bool = False

    def get_token(self, *scopes: str) -> Token:
        """The next token. Raises RuntimeError while `failing`."""
        if self.failing:
            raise RuntimeError("the identity endpoint answers 503")
        self.asked.extend(scopes)
        expires = int(self.now()) + self.life
        return Token(jwt(oid=self.oid, n=len(self.asked), exp=expires), expires)


@dataclass
class AsyncTokenCredential(TokenCredential):
    """The same, as azure.identity.aio's."""

    held: asyncio.Event | None = None

    async def get_token(self, *scopes: str) -> Token:  # type: ignore[override]
        """The next token, once it is not held back."""
        if self.held is not None:
            await self.held.wait()
        return super().get_token(*scopes)
