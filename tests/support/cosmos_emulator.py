"""Cosmos DB on the wire, in a thread of its own: keys, partitions, etags, lifetimes, queries, faults.

    with CosmosEmulator() as cosmos:
        cosmos.add("voicemesh", "archive", ["/tenant", "/day"], ttl=-1)
        client = CosmosClient(cosmos.endpoint, cosmos.key)

Answers what azure-cosmos 4.17 asks; the service's REST reference says what else there is. As the
service does it, a document is found by partition key and id, is at most 2 MB, and lives for its
`ttl` if the container has a default one. Data is read by the test and written by the thread.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote

from aiohttp import web

from tests.support.cosmos_sql import UNDEFINED, BadQuery, Document, run
from tests.support.web_thread import WebThread

KEY = base64.b64encode(b"k" * 64).decode()
MAX_DOCUMENT_BYTES = 2 << 20
_SYSTEM = ("_rid", "_self", "_etag", "_ts", "_attachments")
_ACCOUNT = {
    "id": "local",
    "_rid": "local",
    "enableMultipleWriteLocations": False,
    "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
    "queryEngineConfiguration": "{}",
}


@dataclass(frozen=True)
class Fault:
    """What a request for documents is answered instead."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str, substatus: int = 0) -> None:
        super().__init__(message)
        self.status, self.code = status, code
        self.headers = {"x-ms-substatus": str(substatus)} if substatus else {}


@dataclass
class Container:
    """Documents by partition key, as JSON text, and id."""

    properties: dict[str, Any]
    now: Callable[[], float]
    documents: dict[tuple[str, str], Document] = field(default_factory=dict)

    def live(self) -> dict[tuple[str, str], Document]:
        """Those whose time has not come; the others are gone."""
        self.documents = {key: one for key, one in self.documents.items() if self._lives(one)}
        return self.documents

    def write(self, document: Document, partition: str, *, mode: str, match: str | None) -> int:
        """Store, as `create`, `upsert` or `replace`; the status. Raises Refusal."""
        if len(json.dumps(document, ensure_ascii=False).encode()) > MAX_DOCUMENT_BYTES:
            raise Refusal(413, "RequestEntityTooLarge", "Request size is too large")
        if partition != self.partition_of(document):
            raise Refusal(400, "BadRequest", "PartitionKey extracted from document doesn't match")
        key = (partition, document["id"])
        there = self.live().get(key)
        if mode == "create" and there:
            raise Refusal(409, "Conflict", "Entity with the specified id already exists")
        if mode == "replace" and not there:
            raise Refusal(404, "NotFound", "Resource Not Found")
        if match and (not there or there["_etag"] != match):
            raise Refusal(
                412, "PreconditionFailed", "One of the specified pre-condition is not met"
            )
        kept = {name: value for name, value in document.items() if name not in _SYSTEM}
        etag = f'"{uuid.uuid4()}"'
        self.documents[key] = kept | {"_rid": "r", "_etag": etag, "_ts": int(self.now())}
        return 200 if there else 201

    def partition_of(self, document: Document) -> str:
        """The values at the container's partition paths."""
        values = [document.get(path.strip("/"), {}) for path in self.paths]
        return json.dumps(values)

    @property
    def paths(self) -> list[str]:
        """The partition paths."""
        paths: list[str] = self.properties["partitionKey"]["paths"]
        return paths

    @property
    def metric(self) -> str:
        """How vectors are compared."""
        policy = self.properties.get("vectorEmbeddingPolicy") or {}
        for embedding in policy.get("vectorEmbeddings", []):
            return str(embedding["distanceFunction"])
        return "cosine"

    def _lives(self, document: Document) -> bool:
        default = self.properties.get("defaultTtl")
        ttl = document.get("ttl", default) if default is not None else -1
        return bool(ttl < 0 or document["_ts"] + ttl > self.now())


class CosmosEmulator:
    """The account. `asked` is each request's method and path; `faults` answer the next requests for
    documents. `now` in seconds decides how long documents live."""

    key = KEY

    def __init__(
        self, now: Callable[[], float] = time.time, tls: ssl.SSLContext | None = None
    ) -> None:
        self.asked: list[str] = []
        self.tokens: set[str] = set()
        """Entra tokens that are taken, over TLS."""
        self.faults: deque[Fault | None] = deque()
        """None: the request is served."""
        self.always: Fault | None = None
        """Answers every request for documents while it is set."""
        self.away = False
        """Whether the whole account answers 503."""
        self._now, self._scheme = now, "https" if tls else "http"
        self._databases: dict[str, dict[str, Container]] = {}
        app = web.Application(client_max_size=8 << 20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._web = WebThread(app, tls)

    @property
    def endpoint(self) -> str:
        """The address of the account."""
        host = "localhost" if self._scheme == "https" else "127.0.0.1"
        return f"{self._scheme}://{host}:{self._web.port}"

    def add(
        self,
        database: str,
        container: str,
        paths: Sequence[str],
        ttl: int | None = None,
        **more: Any,
    ) -> None:
        """Make a container, as a deployment does."""
        kind = "MultiHash" if len(paths) > 1 else "Hash"
        properties: dict[str, Any] = {
            "id": container,
            "_rid": f"rid-{container}",
            "partitionKey": {"paths": list(paths), "kind": kind, "version": 2},
            **({"defaultTtl": ttl} if ttl is not None else {}),
            **more,
        }
        self._databases.setdefault(database, {})[container] = Container(properties, self._now)

    def documents(self, database: str, container: str) -> list[Document]:
        """What is stored, without what the service adds."""
        found = self._databases[database][container].live().values()
        return [{k: v for k, v in one.items() if k not in _SYSTEM} for one in found]

    def __enter__(self) -> Self:
        self._web.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._web.__exit__()

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        try:
            return await self._served(request)
        except Refusal as refusal:
            body = {"code": refusal.code, "message": str(refusal)}
            return web.json_response(body, status=refusal.status, headers=refusal.headers)

    async def _served(self, request: web.Request) -> web.Response:
        if self.away:
            raise Refusal(503, "ServiceUnavailable", "away")
        parts = [unquote(part) for part in request.path.split("/") if part]
        if not _signed(request, parts) and not self._known_token(request):
            raise Refusal(401, "Unauthorized", "The input authorization token can't serve this")
        if not parts:
            return web.json_response(self._account())
        if parts[4:5] == ["docs"] and (fault := self._fault()):
            return web.json_response({}, status=fault.status, headers=fault.headers)
        container = self._container(parts)
        match parts[4:]:
            case []:
                return web.json_response(container.properties)
            case ["pkranges"]:
                return _ranges(request)
            case ["docs"]:
                return await self._of_all(request, container)
            case ["docs", document_id]:
                return _of_one(request, container, document_id)
        raise Refusal(404, "NotFound", "Resource Not Found")

    def _fault(self) -> Fault | None:
        return self.always or (self.faults.popleft() if self.faults else None)

    def _known_token(self, request: web.Request) -> bool:
        given = unquote(request.headers.get("Authorization", ""))
        return any(given == f"type=aad&ver=1.0&sig={token}" for token in self.tokens)

    def _account(self) -> dict[str, Any]:
        here = [{"name": "Local", "databaseAccountEndpoint": self.endpoint}]
        return {**_ACCOUNT, "writableLocations": here, "readableLocations": here}

    def _container(self, parts: list[str]) -> Container:
        match parts:
            case ["dbs", database, "colls", container, *_]:
                found = self._databases.get(database, {}).get(container)
                if found:
                    return found
        raise Refusal(404, "NotFound", "Owner resource does not exist", 1003)

    async def _of_all(self, request: web.Request, container: Container) -> web.Response:
        """A query, or a document to be stored."""
        if request.method != "POST":
            raise Refusal(405, "MethodNotAllowed", "not served here")
        body, headers = await request.json(), request.headers
        if "query" in body:
            return _page(request, _found(container, body, headers))
        upsert = headers.get("x-ms-documentdb-is-upsert", "").lower() == "true"
        mode = "upsert" if upsert else "create"
        partition, match = _partition(request) or "", headers.get("If-Match")
        status = container.write(body, partition, mode=mode, match=match)
        stored = container.documents[(partition, body["id"])]
        return web.json_response(stored, status=status, headers={"etag": stored["_etag"]})


def _partition(request: web.Request) -> str | None:
    given = request.headers.get("x-ms-documentdb-partitionkey")
    return json.dumps(json.loads(given)) if given else None


def _found(container: Container, body: dict[str, Any], headers: Any) -> list[Any]:
    given = headers.get("x-ms-documentdb-partitionkey")
    wanted = json.loads(given) if given else []
    if (
        not wanted
        and headers.get("x-ms-documentdb-query-enablecrosspartition", "").lower() != "true"
    ):
        raise Refusal(400, "BadRequest", "Cross partition query is required but disabled")
    documents = [
        one
        for (partition, _), one in container.live().items()
        if json.loads(partition)[: len(wanted)] == wanted
    ]
    parameters = {one["name"]: one["value"] for one in body.get("parameters") or []}
    try:
        return run(body["query"], parameters, documents, container.metric)
    except BadQuery as error:
        raise Refusal(400, "BadRequest", str(error)) from None


def _page(request: web.Request, found: list[Any]) -> web.Response:
    assert UNDEFINED not in found
    most = int(request.headers.get("x-ms-max-item-count", -1))
    start = int(request.headers.get("x-ms-continuation") or 0)
    page = found[start : start + most] if most > 0 else found[start:]
    more = start + len(page) < len(found)
    headers = {"x-ms-continuation": str(start + len(page))} if more else {}
    body = {"_rid": "", "Documents": page, "_count": len(page)}
    return web.json_response(body, headers=headers)


def _of_one(request: web.Request, container: Container, document_id: str) -> web.Response:
    key = (_partition(request) or "", document_id)
    there = container.live().get(key)
    if there is None:
        raise Refusal(404, "NotFound", "Entity with the specified id does not exist in the system.")
    if request.method == "DELETE":
        container.documents.pop(key)
        return web.Response(status=204)
    if request.method != "GET":
        raise Refusal(405, "MethodNotAllowed", "not served here")
    return web.json_response(there, headers={"etag": there["_etag"]})


def _ranges(request: web.Request) -> web.Response:
    """One range of partition keys: all."""
    etag = '"1"'
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers={"etag": etag})
    whole = {"id": "0", "minInclusive": "", "maxExclusive": "FF", "_rid": "0", "parents": []}
    body = {"_rid": "r", "PartitionKeyRanges": [whole], "_count": 1}
    return web.json_response(body, headers={"etag": etag})


def _signed(request: web.Request, parts: list[str]) -> bool:
    """Whether the master key made the signature (HMAC-SHA256 over verb, kind, resource, date)."""
    listed = len(parts) % 2
    kind = parts[-1] if listed else (parts[-2] if parts else "")
    resource = "/".join(parts[:-1] if listed else parts)
    date = request.headers.get("x-ms-date", "").lower()
    text = f"{request.method.lower()}\n{kind.lower()}\n{resource}\n{date}\n\n"
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    given = unquote(request.headers.get("Authorization", ""))
    return given == f"type=master&ver=1.0&sig={base64.b64encode(digest).decode()}"
