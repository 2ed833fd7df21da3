"""App Configuration on the wire, in a thread of its own: keys, labels, pages, etags, signatures, faults.

    with AppConfigEmulator() as store:
        store.set("voicemesh/log_level", "debug", label="prod")
        provider = AppConfigProvider(endpoint=store.connection_string, label="prod")

The thread matters: the client library is asked from a thread too, and a test's event loop may
wait for neither. Data is written by the test and read by the thread; each write is one assignment.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlencode

from aiohttp import web

from tests.support.web_thread import WebThread

KEY_ID = "local"
SECRET = base64.b64encode(b"s" * 32).decode()
REFERENCE = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8"
FLAG = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8"
TOKEN = "the-store's"
"""A token that the store takes, over TLS."""
NO_LABEL = "\0"
"""How a request asks for keys that have no label."""


@dataclass(frozen=True)
class Fault:
    """What a request is answered instead."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


class AppConfigEmulator:
    """The store. `asked` is each request's method and path; `faults` answer the next requests."""

    def __init__(self, page: int = 100, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[str] = []
        self.faults: deque[Fault] = deque()
        self.tokens = {TOKEN}
        self.always: Fault | None = None
        """Answers every request while it is set."""
        self._page = page
        self._scheme = "https" if tls else "http"
        self._settings: dict[tuple[str, str | None], dict[str, Any]] = {}
        app = web.Application()
        app.router.add_route("*", "/kv", self._answer)
        self._web = WebThread(app, tls)

    @property
    def port(self) -> int:
        """The port that is served."""
        return self._web.port

    @property
    def endpoint(self) -> str:
        """The address of the store."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def connection_string(self) -> str:
        """The address with a key that the store takes."""
        return f"Endpoint={self.endpoint};Id={KEY_ID};Secret={SECRET}"

    def set(self, key: str, value: str, label: str | None = None, content_type: str = "") -> None:
        """Write a key."""
        self._settings[(key, label)] = {
            "etag": uuid.uuid4().hex,
            "key": key,
            "label": label,
            "content_type": content_type,
            "value": value,
            "tags": {},
            "locked": False,
            "last_modified": "2026-11-24T06:00:00+00:00",
        }

    def refer(self, key: str, uri: str, label: str | None = None) -> None:
        """Write a key that refers to a secret of a Key Vault."""
        self.set(key, json.dumps({"uri": uri}), label, REFERENCE)

    def flag(
        self, name: str, enabled: bool, label: str | None = None, filters: tuple[str, ...] = ()
    ) -> None:
        """Write a feature flag."""
        conditions = {"client_filters": [{"name": name} for name in filters]}
        value = {"id": name, "enabled": enabled, "description": "", "conditions": conditions}
        self.set(f".appconfig.featureflag/{name}", json.dumps(value), label, FLAG)

    def delete(self, key: str, label: str | None = None) -> None:
        """Remove a key."""
        del self._settings[(key, label)]

    def __enter__(self) -> Self:
        self._web.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._web.__exit__()

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path_qs}")
        fault = self.always or (self.faults.popleft() if self.faults else None)
        if fault:
            return web.Response(status=fault.status, headers=fault.headers, text=fault.body)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.tokens and not _signed(request, await request.read()):
            return web.json_response(
                {"title": "Unauthorized"}, status=401, headers={"WWW-Authenticate": "HMAC-SHA256"}
            )
        return self._page_of(request)

    def _page_of(self, request: web.Request) -> web.Response:
        query = request.query
        found = [
            setting
            for (key, label), setting in sorted(
                self._settings.items(), key=lambda pair: (pair[0][0], pair[0][1] or "")
            )
            if _fits(query.get("key"), key) and _fits(query.get("label"), label)
        ]
        start = int(query.get("after", 0))  # the library writes names in lower case
        items = found[start : start + self._page]
        etag = hashlib.sha256(json.dumps(items).encode()).hexdigest()[:24]
        body: dict[str, Any] = {"items": items, "etag": etag}
        headers = {"ETag": f'"{etag}"'}
        if start + self._page < len(found):
            rest = [(name, value) for name, value in query.items() if name != "after"]
            body["@nextLink"] = f"/kv?{urlencode([*rest, ('after', start + self._page)])}"
            headers["Link"] = f'<{body["@nextLink"]}>; rel="next"'
        if request.headers.get("If-None-Match", "").strip('"') == etag:
            return web.Response(status=304, headers=headers)
        return web.Response(
            text=json.dumps(body),
            content_type="application/vnd.microsoft.appconfig.kvset+json",
            headers=headers,
        )


def _fits(pattern: str | None, value: str | None) -> bool:
    """Whether a value is among what `a,b*` asks for."""
    if pattern is None:
        return True
    if pattern == NO_LABEL:
        return value is None
    names = pattern.split(",")
    return any(
        (value or "").startswith(name[:-1]) if name.endswith("*") else value == name
        for name in names
    )


def _signed(request: web.Request, body: bytes) -> bool:
    """Whether the request is signed with our secret (HMAC-SHA256 over verb, path, date, host, body)."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme != "HMAC-SHA256":
        return False
    parts = dict(part.split("=", 1) for part in given.split("&"))
    date, host = request.headers.get("x-ms-date", ""), request.headers["Host"]
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    text = f"{request.method}\n{request.raw_path}\n{date};{host};{digest}"
    key = base64.b64decode(SECRET)
    wanted = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
    return parts.get("Credential") == KEY_ID and parts.get("Signature") == wanted
