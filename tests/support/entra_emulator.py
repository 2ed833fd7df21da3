"""Who gives a pod its tokens, on the wire: managed identity over http, and Entra ID itself over https.

    with EntraEmulator(oid="oid-1") as entra:
        entra.managed_identity   # the environment of a pod on App Service or Container Apps
        with EntraEmulator(oid="oid-1", tls=server_context(pem)) as entra:
            entra.workload_identity(folder)   # of a pod on AKS

The real credential chain of azure-identity asks. Tokens are numbered JWTs that nobody signed.
"""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from tests.support.entra import jwt
from tests.support.web_thread import WebThread

SECRET = "the-header-of-this-pod"
TENANT, CLIENT = "tenant-1", "client-1"


class EntraEmulator:
    """Gives tokens of one identity, good for `life` seconds. `asked`: each one's scope."""

    def __init__(self, oid: str, *, life: int = 3600, tls: ssl.SSLContext | None = None) -> None:
        self.oid, self.life = oid, life
        self.asked: list[str] = []
        self.refused: list[str] = []
        """Why requests had no token."""
        self.away = False
        """Answers 503 to all requests while it is set."""
        self._assertion = jwt(sub="system:serviceaccount:voicemesh:session-store")
        self._scheme = "https" if tls else "http"
        app = web.Application()
        app.router.add_get("/msi/token", self._managed)
        app.router.add_post(f"/{TENANT}/oauth2/v2.0/token", self._federated)
        self._web = WebThread(app, tls)

    def __enter__(self) -> Self:
        self._web.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._web.__exit__()

    def token(self, number: int) -> str:
        """The first token is number 1."""
        return jwt(oid=self.oid, n=number)

    @property
    def url(self) -> str:
        """By the name in its certificate."""
        return f"{self._scheme}://localhost:{self._web.port}"

    @property
    def managed_identity(self) -> dict[str, str]:
        """What the platform tells a pod with a managed identity."""
        return {"IDENTITY_ENDPOINT": f"{self.url}/msi/token", "IDENTITY_HEADER": SECRET}

    def workload_identity(self, folder: Path) -> dict[str, str]:
        """What the webhook of AKS tells a pod with workload identity."""
        path = folder / "azure-identity-token"
        path.write_text(self._assertion)
        return {
            "AZURE_AUTHORITY_HOST": self.url,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_FEDERATED_TOKEN_FILE": str(path),
        }

    async def _managed(self, request: web.Request) -> web.Response:
        if request.headers.get("X-IDENTITY-HEADER") != SECRET:
            return self._refuse("the header is not this pod's", 401)
        return self._give(request.query["resource"], expires_on=str(int(time.time()) + self.life))

    async def _federated(self, request: web.Request) -> web.Response:
        form = await request.post()
        expected = {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_assertion": self._assertion,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        }
        wrong = [name for name, value in expected.items() if form.get(name) != value]
        if wrong:
            return self._refuse(f"wrong: {', '.join(wrong)}", 401)
        return self._give(str(form["scope"]), expires_in=self.life)

    def _give(self, resource: str, **life: Any) -> web.Response:
        if self.away:
            return self._refuse("away", 503)
        self.asked.append(resource)
        given = {"access_token": self.token(len(self.asked)), "token_type": "Bearer", **life}
        return web.json_response({"resource": resource, **given})

    def _refuse(self, why: str, status: int) -> web.Response:
        self.refused.append(why)
        error = {"error": "invalid_client", "error_description": why}
        # Else the SDK repeats a failure to itself for seconds, and asks again ever more slowly.
        return web.json_response(error, status=status, headers={"Retry-After": "0"})
