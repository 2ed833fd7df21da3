"""Forgetting a person: all sessions in which a client was verified, and a record that it was done.

Redis first, then the archive, in batches; after each the place is noted under the request's id, so
that whoever repeats the request goes on there, after a kill too. A session that the archiver has
under way is marked, and leaves the archive again (`archiver`). The record says who asked, when, why
and how many, and the person only as a digest. It is kept in Redis for RECORD_SECONDS and, where
there is an archive, there for ever.

Found is who was verified. What an unverified caller said of themselves goes by redaction and age.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from memory.scripts import Value, load_script
from meshkit.clock import Clock
from meshkit.errors import MeshError, Reason
from meshkit.logging import get_logger
from session_store.archive import ArchiveUnavailable, SessionArchive
from session_store.archiver import TAKEN_SECONDS
from session_store.index import SessionIndex
from session_store.runner import ScriptRunner, milliseconds

logger = get_logger("session_store.erasure")

BATCH = 100
MARK_SECONDS = 86_400.0
"""An erased session's id cannot be used again for so long."""
RECORD_SECONDS = 30 * 86_400.0
RETRY_SECONDS = 5.0
PERSON = "[person]"

_PACKAGE = "session_store.scripts"


class Erased(NamedTuple):
    """How far an erasure has come."""

    done: bool
    sessions: int


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """Whom to forget, and what the record is to say."""

    client_id: str
    request_id: str
    requester: str
    reason: str


@dataclass(slots=True)
class _Record:
    """An erasure as Redis has it."""

    name: str
    fields: dict[str, str]
    sessions: int = 0

    @property
    def keys(self) -> list[str]:
        return [f"voicemesh:{{erasure-{self.name}}}:{part}" for part in ("record", "sessions")]

    @property
    def next_time(self) -> int | None:
        """Creation time from which sessions in Redis are still to be looked at; None: all were."""
        place = self.fields["place"]
        return int(place) if place.isdecimal() else None

    def told(self) -> dict[str, Any]:
        """What the archive keeps."""
        names = ("requester", "reason", "person", "salt", "began", "ended")
        return {name: self.fields[name] for name in names} | {"sessions": self.sessions}


class Erasures:
    """Erases people. `key` makes the digest of a person worthless to whoever has not got it."""

    def __init__(
        self,
        runner: ScriptRunner,
        index: SessionIndex,
        archive: SessionArchive | None,
        *,
        key: bytes,
        clock: Clock,
    ) -> None:
        self._hot, self._call = runner.hot, runner.call
        self._index, self._archive = index, archive
        self._key, self._clock = key, clock
        self._begin = load_script(_PACKAGE, "begin_erasure")
        self._note = load_script(_PACKAGE, "note_erasure")

    async def erase(self, request: ErasureRequest, more: Callable[[], bool]) -> Erased:
        """Erase a batch, and further ones while there is time for `more`.

        Raises REQUEST_ID_REUSED, ARCHIVE_UNAVAILABLE, STORE_UNAVAILABLE, STORE_NOT_DURABLE.
        """
        try:
            return await self._erase(request, more)
        except ArchiveUnavailable as error:
            logger.warning("erasure waits", extra={"cause": str(error)})
            raise MeshError(
                Reason.ARCHIVE_UNAVAILABLE,
                "the archive does not answer; repeat with the same request_id",
                retry_after_seconds=RETRY_SECONDS,
            ) from None

    async def _erase(self, request: ErasureRequest, more: Callable[[], bool]) -> Erased:
        if earlier := await self._finished(request):
            return earlier
        record = await self._begun(request)
        while record.fields["place"] != "done":
            if record.next_time is not None:
                await self._from_redis(record, request.client_id, record.next_time)
            elif not await self._from_archive(record, request.client_id):
                await self._finish(record, request.request_id)
            if not more():
                break
        return Erased(record.fields["place"] == "done", record.sessions)

    async def _finished(self, request: ErasureRequest) -> Erased | None:
        """An erasure that Redis may have forgotten."""
        kept = await self._archive.erasure(request.request_id) if self._archive else None
        if kept is None:
            return None
        self._check_person(kept, request.client_id)
        return Erased(True, kept["sessions"])

    async def _begun(self, request: ErasureRequest) -> _Record:
        record = _Record(hashlib.sha256(request.request_id.encode()).hexdigest()[:40], {})
        salt = secrets.token_hex(16)
        fields = {
            "requester": request.requester.replace(request.client_id, PERSON),
            "reason": request.reason.replace(request.client_id, PERSON),
            "person": self._digest(salt, request.client_id),
            "salt": salt,
            "began": self._now().isoformat(),
            "place": "0",
        }
        args = [milliseconds(RECORD_SECONDS), *_flat(fields)]
        kept = await self._hot.run(self._begin, record.keys[:1], args, durable=True)
        pairs = zip(kept[::2], kept[1::2], strict=True)
        record.fields = {name.decode(): value.decode() for name, value in pairs}
        self._check_person(record.fields, request.client_id)
        await self._noted(record, {}, [])
        return record

    async def _from_redis(self, record: _Record, client_id: str, least: int) -> None:
        """One page of the sessions in Redis, whoever's they are."""
        ids, following = await self._index.page_upward(least, BATCH)
        args = (client_id, record.name, milliseconds(MARK_SECONDS))
        calls = [self._call("erase_session", session_id, args) for session_id in ids]
        replies = await self._hot.run_together(calls) if calls else []
        found = zip(ids, replies, strict=True)
        erased = [session_id for session_id, reply in found if reply[0] == b"ERASED"]
        again = round(self._now().timestamp() * 1000) + milliseconds(2 * TAKEN_SECONDS)
        for session_id in erased:  # by then, whoever was archiving it is through or dead
            await self._index.due_at(session_id, again)
        place = "archive" if following is None else str(following)
        await self._noted(record, {"place": place}, erased)

    async def _from_archive(self, record: _Record, client_id: str) -> bool:
        """A batch of the archive's; whether there were any."""
        found = await self._archive.sessions_of(client_id, BATCH) if self._archive else []
        if self._archive is None or not found:
            return False
        await self._noted(record, {}, found)
        for session_id in found:
            await self._archive.forget(session_id)
        return True

    async def _finish(self, record: _Record, request_id: str) -> None:
        record.fields["ended"] = self._now().isoformat()
        if self._archive is not None:
            day = record.fields["began"][:10]
            await self._archive.record_erasure(request_id, day, record.told())
        await self._noted(record, {"place": "done", "ended": record.fields["ended"]}, [])
        logger.info("person erased", extra={"erasure": record.name, "sessions": record.sessions})

    async def _noted(
        self, record: _Record, fields: Mapping[str, str], sessions: Sequence[str]
    ) -> None:
        record.fields |= fields
        args = [milliseconds(RECORD_SECONDS), 2 * len(fields), *_flat(fields), *sessions]
        record.sessions = await self._hot.run(self._note, record.keys, args, durable=True)

    def _check_person(self, kept: Mapping[str, str], client_id: str) -> None:
        if not hmac.compare_digest(kept["person"], self._digest(kept["salt"], client_id)):
            raise MeshError(
                Reason.REQUEST_ID_REUSED, "the request_id was used to erase another person"
            )

    def _digest(self, salt: str, client_id: str) -> str:
        text = f"{salt}/{client_id}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()

    def _now(self) -> datetime:
        return self._clock.now()


def _flat(fields: Mapping[str, str]) -> list[Value]:
    return [part for pair in fields.items() for part in pair]
