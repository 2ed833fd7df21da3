"""One container of Cosmos DB: the only module that imports its client library.

    container = CosmosContainer(CosmosPlace(endpoint, "voicemesh", "sessions", key), seconds=10)
    await container.upsert({"id": "a", "tenant": "bank", "day": "2026-11-24"})
    await container.aclose()

Without a key the pod's Entra identity is used: the one credential of the process. Importing
this module takes half a second, and so does the first container, so both belong into the start of a
process. Nothing is asked of Cosmos DB until the first operation; a service starts without it.

The client library waits as a throttled answer (429) tells it, at most RETRIES times, and all of that
within `seconds`. What documents mean, and which may be written twice, is the caller's to say.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from azure.core.exceptions import AzureError
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError

from meshkit.credentials import process_credential_async

RETRIES = 3
MAX_DOCUMENT_BYTES = 2 << 20
"""Of a document as the service counts it: JSON in UTF-8."""

_NOT_FOUND = 404
_NO_CONTAINER = 1003
"""Substatus of a 404."""
_REFUSED = frozenset({400, 413})
"""Statuses that the same document will get again."""

Document = dict[str, Any]


class CosmosUnavailable(Exception):
    """Cosmos DB did not do it; it may later. The message names the container and the cause."""


class DocumentRefused(CosmosUnavailable):
    """Cosmos DB does not take this document or query, now or later."""


@dataclass(frozen=True, slots=True)
class CosmosPlace:
    """A container, and how to be let in."""

    endpoint: str
    """`https://NAME.documents.azure.com`."""
    database: str
    container: str
    key: str = field(default="", repr=False)
    """The account's key; empty: the pod's Entra identity, which needs https."""

    def __str__(self) -> str:
        return f"{self.endpoint} {self.database}/{self.container}"


class CosmosContainer:
    """Documents of one container. Raises ValueError for a place that cannot be.

    `seconds` bounds each operation with its retries. `options` go to the client library.
    """

    def __init__(self, place: CosmosPlace, *, seconds: float, **options: Any) -> None:
        _check(place)
        self.place, self._seconds = place, seconds
        given = options.pop("credential", None)
        self._identity = None if place.key else given or process_credential_async()
        let_in: Any = place.key or self._identity
        self._client = CosmosClient(place.endpoint, let_in, retry_total=RETRIES, **options)
        database = self._client.get_database_client(place.database)
        self._container = database.get_container_client(place.container)
        self._connecting = asyncio.Lock()
        self._connected = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close connections and credential."""
        await self._client.close()
        if self._identity is not None:
            await self._identity.close()

    async def upsert(self, document: Document) -> None:
        """Store a document in place of the one with its id and partition.

        Raises DocumentRefused, CosmosUnavailable; after the latter it may be stored or not.
        """
        async with self._asked():
            await self._container.upsert_item(document)

    async def read(self, document_id: str, partition: Sequence[str]) -> Document | None:
        """A document; None if it is not there. Raises CosmosUnavailable."""
        async with self._asked():
            with _if_there():
                return dict(await self._container.read_item(document_id, list(partition)))
        return None

    async def delete(self, document_id: str, partition: Sequence[str]) -> None:
        """Delete a document, if it is there. Raises CosmosUnavailable."""
        async with self._asked():
            with _if_there():
                await self._container.delete_item(document_id, list(partition))

    async def find(
        self,
        query: str,
        parameters: Mapping[str, Any],
        *,
        most: int,
        partition: Sequence[str] | None = None,
    ) -> list[Any]:
        """The first `most` results of a query over one partition or all. Raises as `upsert`."""
        options: dict[str, Any] = {} if partition is None else {"partition_key": list(partition)}
        asked = [{"name": name, "value": value} for name, value in parameters.items()]
        found: list[Any] = []
        async with self._asked():
            async for one in self._container.query_items(
                query, parameters=asked, max_item_count=most, **options
            ):
                found.append(one)
                if len(found) == most:
                    break
        return found

    async def properties(self) -> Document:
        """How the container was made. Raises CosmosUnavailable."""
        async with self._asked():
            return dict(await self._container.read())

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[None]:
        """Connected first, bounded in time, failures named."""
        try:
            async with asyncio.timeout(self._seconds):
                await self._connect()
                yield
        except TimeoutError:
            raise CosmosUnavailable(f"{self.place}: no answer in {self._seconds:g} s") from None
        except (AzureError, OSError) as error:
            raise _named(self.place, error) from None

    async def _connect(self) -> None:
        async with self._connecting:
            if not self._connected:
                await self._client.__aenter__()
                self._connected = True


def _named(place: CosmosPlace, error: Exception) -> CosmosUnavailable:
    """The failure without the library's dump, which repeats what was sent."""
    status = getattr(error, "status_code", None)
    kind = DocumentRefused if status in _REFUSED else CosmosUnavailable
    return kind(f"{place}: {type(error).__name__}{f' {status}' if status else ''}")


@contextmanager
def _if_there() -> Iterator[None]:
    """A document that is not there is no failure; a database or container is."""
    try:
        yield
    except CosmosHttpResponseError as error:
        if error.status_code != _NOT_FOUND or error.sub_status == _NO_CONTAINER:
            raise


def _check(place: CosmosPlace) -> None:
    if not place.endpoint.startswith(("https://", "http://")):
        raise ValueError(
            f"{place.endpoint!r} is no address; write https://NAME.documents.azure.com"
        )
    if not place.key and not place.endpoint.startswith("https://"):
        raise ValueError(
            f"{place.endpoint} needs a key, or https: tokens do not go over plain http"
        )
    try:
        base64.b64decode(place.key, validate=True)
    except binascii.Error:
        raise ValueError("the key is not Base64, as Cosmos DB's keys are") from None
