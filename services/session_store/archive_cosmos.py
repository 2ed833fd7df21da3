"""The archive of a deployment: a container of Cosmos DB, partitioned by tenant and day.

    CosmosArchive(CosmosContainer(place, seconds=10), retention_seconds=90 * 86_400)

Documents are stored in place of those with their id, so that a session that is offered again is there
once. Each tells when it is to go (`ttl`), which the service obeys only in a container that has
lifetimes switched on; one that has not, or is partitioned otherwise, is not written to. A session
over the service's bound becomes several documents, see `archive_parts`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from meshkit.cosmos import CosmosContainer, CosmosUnavailable, DocumentRefused
from session_store.archive import ArchivedSession, ArchiveRefused, ArchiveUnavailable
from session_store.archive_parts import EntryTooLarge, cut, joined

PARTITION = ["/tenant", "/day"]
MAX_PART_BYTES = 1_800_000
"""Of JSON; the service takes 2 MiB with what we and it add."""
LONGEST_SECONDS = 2**31 - 1
"""Largest `ttl` that the service knows: 68 years."""
AUDIT_TENANT = "voicemesh:erasures"
FOR_EVER = -1
BATCH = 100

_OF_CLIENT = "SELECT VALUE c.session_id FROM c WHERE c.client_id = @id"
_OF_SESSION = "SELECT c.id, c.tenant, c.day FROM c WHERE c.session_id = @id"
_HEAD = "SELECT * FROM c WHERE c.session_id = @id AND c.kind = 'session'"
_AUDIT = "SELECT * FROM c WHERE c.id = @id AND c.kind = 'erasure'"


class CosmosArchive:
    """Sessions in a container, each kept for `retention_seconds`.

    Raises ArchiveUnavailable, and ArchiveRefused for a session that it will never take.
    """

    def __init__(
        self,
        container: CosmosContainer,
        *,
        retention_seconds: float,
        max_part_bytes: int = MAX_PART_BYTES,
    ) -> None:
        self._container, self._max_part_bytes = container, max_part_bytes
        self._ttl = min(max(1, round(retention_seconds)), LONGEST_SECONDS)
        self._checked = False

    async def put(self, session: ArchivedSession) -> None:
        """Store a session, its head last."""
        with _told():
            await self._check()
            head, *parts = cut(session.document, self._max_part_bytes)
            for number, part in enumerate(parts, 1):
                await self._container.upsert(self._part(session, number) | part)
            about = {"kind": "session", "reason": session.reason, "parts": len(parts)}
            await self._container.upsert(self._part(session, 0) | about | head)

    async def get(self, session_id: str) -> ArchivedSession | None:
        """A stored session."""
        with _told():
            heads = await self._container.find(_HEAD, {"@id": session_id}, most=1)
            return await self._whole(heads[0]) if heads else None

    async def sessions_of(self, client_id: str, most: int) -> list[str]:
        """Some sessions in which this client was verified."""
        with _told():
            found = await self._container.find(_OF_CLIENT, {"@id": client_id}, most=most)
        return sorted(set(found))

    async def forget(self, session_id: str) -> None:
        """Delete a session, if it is there."""
        with _told():
            while found := await self._container.find(_OF_SESSION, {"@id": session_id}, most=BATCH):
                for one in found:
                    await self._container.delete(one["id"], [one["tenant"], one["day"]])

    async def record_erasure(self, request_id: str, day: str, record: Mapping[str, Any]) -> None:
        """Keep the record of an erasure for ever."""
        about = {"id": _audit_id(request_id), "kind": "erasure", "ttl": FOR_EVER}
        with _told():
            await self._check()
            await self._container.upsert(
                {**about, "tenant": AUDIT_TENANT, "day": day, "record": dict(record)}
            )

    async def erasure(self, request_id: str) -> dict[str, Any] | None:
        """The record of an erasure, if it was finished."""
        with _told():
            found = await self._container.find(_AUDIT, {"@id": _audit_id(request_id)}, most=1)
        return dict(found[0]["record"]) if found else None

    async def aclose(self) -> None:
        """Close the container."""
        await self._container.aclose()

    def _part(self, session: ArchivedSession, number: int) -> dict[str, Any]:
        """What every document of a session says. Session ids have no colon."""
        return {
            "id": f"{session.session_id}:{number}" if number else session.session_id,
            "kind": "part",
            "session_id": session.session_id,
            "tenant": session.tenant,
            "day": session.day,
            "client_id": session.client_id,
            "ttl": self._ttl,
        }

    async def _whole(self, head: dict[str, Any]) -> ArchivedSession:
        session_id, partition = head["session_id"], [head["tenant"], head["day"]]
        documents = [head]
        for number in range(1, head["parts"] + 1):
            part = await self._container.read(f"{session_id}:{number}", partition)
            if part is None:
                raise ArchiveUnavailable(f"part {number} of session {session_id} is gone")
            documents.append(part)
        whole = joined(documents)
        document = {name: whole[name] for name in ("session", "verified", "events")}
        return ArchivedSession(session_id, head["tenant"], head["day"], head["reason"], document)

    async def _check(self) -> None:
        """The container keeps what it is given for as long as it is told, or is not written to."""
        if self._checked:
            return
        found = await self._container.properties()
        if found["partitionKey"]["paths"] != PARTITION:
            raise CosmosUnavailable(
                f"{self._container.place}: is not partitioned by {', then '.join(PARTITION)}"
            )
        if found.get("defaultTtl") is None:
            raise CosmosUnavailable(
                f"{self._container.place}: lifetimes are off; set the default time to live to -1"
            )
        self._checked = True


@contextmanager
def _told() -> Iterator[None]:
    """Failures as the archive's own."""
    try:
        yield
    except (DocumentRefused, EntryTooLarge) as error:
        raise ArchiveRefused(str(error)) from None
    except CosmosUnavailable as error:
        raise ArchiveUnavailable(str(error)) from None


def _audit_id(request_id: str) -> str:
    """The id of a record: request ids may have characters that ids may not."""
    return f"erasure:{hashlib.sha256(request_id.encode()).hexdigest()}"
