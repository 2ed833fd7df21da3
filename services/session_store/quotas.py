"""What the whole fleet shares, counted in Redis: so many held at once, or so many in a window.

Capacity only. The counters may be lost with Redis, and what a dead holder took comes back by itself;
what must never be wrong does not belong here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from memory.hotstore import HotStore
from memory.scripts import Value, load_script
from meshkit.errors import MeshError, Reason, invalid
from session_store.runner import milliseconds
from session_store.settings import QuotaLimit

LIFE_SECONDS = 86_400.0
"""Counters that nobody touches for so long go by themselves."""

_PREFIX = "voicemesh:{quotas}"
_KEYS = [f"{_PREFIX}:{part}" for part in ("counts", "takes", "holders")]


class Quotas:
    """The quotas of the settings, by name, as `limits` has them at the time of a request.

    All of them are in one slot of a cluster.
    """

    def __init__(self, hot: HotStore, limits: Callable[[], Mapping[str, QuotaLimit]]) -> None:
        self._hot, self._limits = hot, limits
        names = ("take_quotas", "give_back_quotas", "renew_quotas")
        self._scripts = {name: load_script("session_store.scripts", name) for name in names}

    async def take(
        self, request_id: str, holder: str, demands: Counter[str], ttl: float, timeout: float
    ) -> None:
        """Take all of the demands, quota to amount, or none.

        Raises QUOTA_EXHAUSTED, and ARGUMENT_INVALID for a quota that is not set.
        """
        keys = list(_KEYS)
        args: list[Value] = [request_id, holder, milliseconds(ttl), milliseconds(LIFE_SECONDS)]
        for quota, amount in demands.items():
            limit = self._limit(quota)
            keys.append(f"{_PREFIX}:rate:{quota}")
            args += [quota, amount, limit.limit, milliseconds(limit.window_seconds or 0)]
        word, *rest = await self._run("take_quotas", keys, args, timeout)
        if word != b"OK":
            raise _exhausted(*rest)

    async def give_back(self, request_ids: Sequence[str], timeout: float) -> None:
        """Give back what requests hold; those that hold nothing are passed over."""
        await self._run("give_back_quotas", _KEYS[:2], request_ids, timeout)

    async def renew(self, holder: str, ttl: float, timeout: float) -> None:
        """Keep all that a holder took."""
        args: list[Value] = [holder, milliseconds(ttl), milliseconds(LIFE_SECONDS)]
        await self._run("renew_quotas", _KEYS, args, timeout)

    def _limit(self, quota: str) -> QuotaLimit:
        limits = self._limits()
        if quota not in limits:
            known = ", ".join(sorted(limits)) or "none"
            raise invalid("demands", f"quota {quota!r} is not set; set are: {known}")
        return limits[quota]

    async def _run(
        self, name: str, keys: Sequence[str], args: Sequence[Value], timeout: float
    ) -> Sequence[Any]:
        reply: Sequence[Any] = await self._hot.run(self._scripts[name], keys, args, timeout=timeout)
        return reply


def _exhausted(quota: bytes, retry_milliseconds: int) -> MeshError:
    return MeshError(
        Reason.QUOTA_EXHAUSTED,
        f"quota {quota.decode()} has no more",
        metadata={"quota": quota.decode()},
        retry_after_seconds=retry_milliseconds / 1000,
    )
