"""Key Vault secrets on the wire: the 401 that names authority and resource, then the secret.

The real client speaks https only, and asks a token only for a resource that its vault's name ends
in, so a vault here is `NAME.vault.localhost`.
"""

from __future__ import annotations

import ssl
from typing import Self

from aiohttp import web

from tests.support.web_thread import WebThread

DOMAIN = "vault.localhost"


class KeyVaultEmulator:
    """One vault. `asked` is each request's path and whether it had a token."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.secrets: dict[str, str] = {}
        self.asked: list[tuple[str, bool]] = []
        app = web.Application()
        app.router.add_get("/secrets/{name}{rest:/?.*}", self._secret)
        self._web = WebThread(app, tls)

    def uri(self, name: str) -> str:
        """The URI of a secret."""
        return f"https://mine.{DOMAIN}:{self._web.port}/secrets/{name}"

    def __enter__(self) -> Self:
        self._web.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._web.__exit__()

    async def _secret(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        known = request.headers.get("Authorization", "").startswith("Bearer ")
        self.asked.append((name, known))
        if not known:
            resource = f"https://{DOMAIN}:{self._web.port}"
            challenge = f'Bearer authorization="https://login.localhost/t", resource="{resource}"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        if name not in self.secrets:
            error = {
                "code": "SecretNotFound",
                "message": f"A secret with name {name} was not found",
            }
            return web.json_response({"error": error}, status=404)
        body = {
            "value": self.secrets[name],
            "id": f"{self.uri(name)}/1",
            "attributes": {"enabled": True, "created": 1700000000, "updated": 1700000000},
        }
        return web.json_response(body)
