"""The pod's pools, one a client kind, over the engine's factories; pool errors as reasons."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, ItemsView, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from meshkit import metrics
from meshkit.errors import MeshError, Reason
from speech_pool import meters
from speech_pool.ports import ProviderError, SpeechProvider
from speech_pool.quotas import Quotas
from speech_pool.settings import SpeechPoolSettings
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from warmpool import (
    Lease,
    LeaseInUse,
    LeaseNotFound,
    LeaseNotOwned,
    OpenFailed,
    PoolClosed,
    PoolError,
    PoolExhausted,
    PoolObserver,
    PoolOptions,
    PoolStats,
    TierUnavailable,
    WarmPool,
)

RECOGNIZER = pb.CLIENT_KIND_RECOGNIZER
SYNTHESIZER = pb.CLIENT_KIND_SYNTHESIZER
PROVIDER_RETRY_SECONDS = 1.0


class Pools:
    """Recognisers and synthesisers of this pod, as an async context manager."""

    def __init__(
        self,
        provider: SpeechProvider,
        settings: SpeechPoolSettings,
        clock: Callable[[], float] = time.monotonic,
        quotas: Quotas | None = None,
    ) -> None:
        self.clock = clock
        self.draining = False
        self._provider = provider
        self._pools: dict[pb.ClientKind, WarmPool[Any]] = {
            RECOGNIZER: _pool(provider.recognizers, "recognizer", settings, clock, quotas),
            SYNTHESIZER: _pool(provider.synthesizers, "synthesizer", settings, clock, quotas),
        }
        self._quotas = quotas
        self._live = settings.live
        self._unlisten: list[Callable[[], None]] = []

    async def __aenter__(self) -> Pools:
        for pool in self._pools.values():
            await pool.prepare()
            end = self._live.on_change(f"{pool.name}_warm", pool.set_warm_target)
            self._unlisten.append(end)
        self._unlisten.append(meters.watching(self._stats))
        return self

    async def __aexit__(self, *_: object) -> None:
        for end in self._unlisten:
            end()
        for pool in self._pools.values():
            await pool.close()

    async def drain(self) -> None:
        """Grant no new leases."""
        self.draining = True
        for pool in self._pools.values():
            pool.drain()

    def _stats(self) -> list[PoolStats]:
        return [pool.stats() for pool in self._pools.values()]

    def items(self) -> ItemsView[pb.ClientKind, WarmPool[Any]]:
        """Each kind with its pool."""
        return self._pools.items()

    def of_kind(self, kind: pb.ClientKind) -> WarmPool[Any]:
        """The pool of a kind. Raises CLIENT_KIND_UNSUPPORTED."""
        pool = self._pools.get(kind)
        if pool is None:
            named = kind if kind not in pb.ClientKind.values() else pb.ClientKind.Name(kind)
            raise MeshError(
                Reason.CLIENT_KIND_UNSUPPORTED,
                f"client_kind {named} is not served here; ask for RECOGNIZER or SYNTHESIZER",
                fields={"client_kind": "must be RECOGNIZER or SYNTHESIZER"},
            )
        return pool

    def counted(
        self, pool: WarmPool[Any], session: str, granting: Coroutine[Any, Any, Lease]
    ) -> Coroutine[Any, Any, Lease]:
        """The lease, granted only within the provider's limits where there are any."""
        return self._quotas.counted(pool.name, session, granting) if self._quotas else granting

    def holding(self, lease: str) -> tuple[pb.ClientKind, WarmPool[Any]]:
        """The kind and pool of a lease. Raises LEASE_NOT_FOUND."""
        for kind, pool in self._pools.items():
            with suppress(LeaseNotFound):
                pool.lookup(lease)
                return kind, pool
        raise MeshError(
            Reason.LEASE_NOT_FOUND, "the lease expired, was released, or its pod restarted"
        )


def _pool(
    factory: Any,
    kind: str,
    settings: SpeechPoolSettings,
    clock: Callable[[], float],
    quotas: Quotas | None,
) -> WarmPool[Any]:
    return WarmPool(
        factory,
        name=kind,
        warm_target=getattr(settings, f"{kind}_warm"),
        max_size=getattr(settings, f"{kind}_max"),
        max_waiting=settings.pool_max_waiting,
        default_ttl_seconds=settings.lease_seconds,
        discard_on=(ProviderError,),
        clock=clock,
        observer=_observer(kind, quotas),
        options=PoolOptions(
            check_bypass_seconds=settings.pool_check_bypass_seconds,
            max_age_seconds=settings.pool_max_age_seconds,
            max_idle_seconds=settings.pool_max_idle_seconds,
        ),
    )


def _observer(kind: str, quotas: Quotas | None) -> PoolObserver | None:
    told = quotas.observer(kind) if quotas else None
    return meters.PoolMeter(kind, told) if metrics.is_on() else told


POOL_FAILURES = (PoolError, ProviderError)
"""What `reason_of` has a reason for."""


@contextmanager
def raising() -> Iterator[None]:
    """What the pool and the engine raise within the block, raised as reasons of the mesh."""
    try:
        yield
    except POOL_FAILURES as error:
        raise reason_of(error) from None


def reason_of(error: PoolError | ProviderError) -> MeshError:
    """What a failure of the pool or the engine is called in the mesh."""
    if isinstance(error, PoolExhausted):
        return MeshError(
            Reason.POOL_EXHAUSTED,
            "all clients are leased, and none came free in time",
            retry_after_seconds=error.retry_after_seconds,
        )
    if isinstance(error, PoolClosed):
        return MeshError(Reason.POD_DRAINING, "this pod grants no new leases")
    if isinstance(error, OpenFailed):
        return MeshError(
            Reason.PROVIDER_UNAVAILABLE,
            "no client could be opened",
            retry_after_seconds=error.retry_after_seconds,
        )
    for kind, reason in _TOLD_AS_IT_IS.items():
        if isinstance(error, kind):
            return MeshError(reason, str(error))
    return MeshError(
        Reason.PROVIDER_UNAVAILABLE, str(error), retry_after_seconds=PROVIDER_RETRY_SECONDS
    )


_TOLD_AS_IT_IS: dict[type[PoolError], Reason] = {
    TierUnavailable: Reason.TIER_UNAVAILABLE,
    LeaseNotFound: Reason.LEASE_NOT_FOUND,
    LeaseNotOwned: Reason.LEASE_NOT_OWNED,
    LeaseInUse: Reason.LEASE_IN_USE,
}
