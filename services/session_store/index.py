"""Which sessions there are: an index by creation, for lists, and one by when to look at them again.

The index has keys of its own, in another slot of a cluster than a session's, so it is written beside
the session and not in the same step. An entry may therefore be of a session that has gone; whoever
follows it finds that out.
"""

from __future__ import annotations

from memory.hotstore import HotStore
from memory.scripts import ScriptCall, Value, load_script
from session_store.paging import Place
from session_store.runner import milliseconds

LIFE_SECONDS = 30 * 86_400.0
"""An index that nothing is added to for so long goes by itself."""

Entry = tuple[str, int]
"""A session and when it was made, in milliseconds since the epoch."""

_PREFIX = "voicemesh:{index}"


class SessionIndex:
    """The sessions by id, newest first, of all or of a tenant."""

    def __init__(self, hot: HotStore) -> None:
        self._hot = hot
        self._listing = load_script("session_store.scripts", "index_session")
        self._hasten = load_script("session_store.scripts", "hasten_session")
        self._take = load_script("session_store.scripts", "take_due")

    def listing(self, session_id: str, tenant: str, ttl: float) -> ScriptCall:
        """The call that enters a session."""
        keys = [due_key(), created_key("")]
        if tenant:
            keys.append(created_key(tenant))
        args = (session_id, milliseconds(ttl), milliseconds(LIFE_SECONDS))
        return ScriptCall(self._listing, keys, args)

    def hastening(self, session_id: str, seconds: float) -> ScriptCall:
        """The call that makes a session due within so many seconds."""
        return ScriptCall(self._hasten, [due_key()], (session_id, milliseconds(seconds)))

    async def take_due(self, most: int, seconds: float) -> list[str]:
        """Sessions that are due; nobody else is given them for so many seconds."""
        found = await self._hot.run(self._take, [due_key()], [most, milliseconds(seconds)])
        return [session_id.decode() for session_id in found]

    async def due_at(self, session_id: str, moment: int) -> None:
        """Have a session be due at a moment, in milliseconds since the epoch."""
        await self._hot.command("ZADD", due_key(), "XX", moment, session_id)

    async def remove(self, session_id: str, tenant: str) -> None:
        """A session is no more."""
        for key in {created_key(""), created_key(tenant), due_key()}:
            await self._hot.command("ZREM", key, session_id)

    async def page_upward(self, least: int, size: int) -> tuple[list[str], int | None]:
        """About `size` ids, oldest first, from a creation time on, and where to go on; None: nowhere.

        Sessions that come or go meanwhile make none be passed over: of the time to go on from, all
        are told again.
        """
        key = created_key("")
        found = await self._range(key, least, "+inf", "LIMIT", 0, size)
        if len(found) < size:
            return [session_id for session_id, _ in found], None
        last = found[-1][1]
        if last > least:
            return [session_id for session_id, _ in found], last
        return [session_id for session_id, _ in await self._range(key, last, last)], last + 1

    async def _range(self, key: str, least: int, most: int | str, *limit: Value) -> list[Entry]:
        found = await self._hot.command("ZRANGEBYSCORE", key, least, most, "WITHSCORES", *limit)
        times = (int(score) for score in found[1::2])
        return list(zip((member.decode() for member in found[0::2]), times, strict=True))

    async def page(
        self, tenant: str, place: Place, size: int, timeout: float
    ) -> tuple[list[str], Place | None]:
        """At most `size` ids, newest first, and where the next page begins if there is one.

        A place is a creation time (0: now) and how many of that very time came before.
        """
        newest = place.offset or "+inf"
        limit = ("LIMIT", place.upto, size + 1)
        found = await self._hot.command(
            *("ZREVRANGEBYSCORE", created_key(tenant), newest, "-inf", "WITHSCORES", *limit),
            timeout=timeout,
        )
        ids = [member.decode() for member in found[0 : 2 * size : 2]]
        times = [int(score) for score in found[1::2]]
        if len(times) <= size:
            return ids, None
        following = times[size]
        skipped = times[:size].count(following)
        before = place.upto if following == place.offset else 0
        return ids, Place(following, skipped + before)


def due_key() -> str:
    """Sessions by the time at which they may be over."""
    return f"{_PREFIX}:due"


def created_key(tenant: str) -> str:
    """Sessions by creation: all, or a tenant's."""
    return f"{_PREFIX}:created:{tenant}" if tenant else f"{_PREFIX}:created"
