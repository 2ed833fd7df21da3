"""Carries out what the ledger decides: tasks that open, check and close clients, and the one timer.

Every task is owned here and awaited by `finish`; whatever a task is doing when it is cancelled, the
client it has in hand is closed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Generic, TypeVar

from .holding import Slot, SlotState
from .hooks import Rest, begin
from .lease import AllocationTier
from .ledger import Ledger, Phase
from .stats import DiscardCause, PoolObserver
from .supply import Supply

T = TypeVar("T")

_FAILED_CHECK = DiscardCause.FAILED_CHECK
_FAILED_RESET = DiscardCause.FAILED_RESET
_WARM = AllocationTier.WARM

log = logging.getLogger("warmpool")


class Crew(Generic[T]):
    """The hands of one pool."""

    def __init__(
        self,
        ledger: Ledger[T],
        supply: Supply[T],
        *,
        clock: Callable[[], float],
        observer: PoolObserver,
    ) -> None:
        self._ledger = ledger
        self._supply = supply
        self._clock = clock
        self.observer = observer
        self._hook_seconds = ledger.options.hook_seconds
        self._told = {
            name: (stock.breaker.state, stock.demand.target)
            for name, stock in ledger.stocks.items()
        }
        self._tasks: set[asyncio.Task[None]] = set()
        self._opens: set[asyncio.Task[None]] = set()
        self._unbegun: set[object] = set()
        """A token for each task that has not had its first step yet."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = float("inf")
        self._emptied: asyncio.Event = asyncio.Event()

    # ------------------------------------------------------------------ carrying out

    def settle(self) -> None:
        """Do what the ledger has left to do, until it has nothing more. Never waits."""
        ledger = self._ledger
        now = self._clock()
        while ledger.todo:
            ledger.todo = False
            ledger.serve_from_idle(now)
            for slot in self._supply.plan(now):
                self._opens.add(task := self._spawn(slot, self._open))
                task.add_done_callback(self._opens.discard)
            doomed, ledger.doomed = ledger.doomed, []
            for slot in doomed:
                self._spawn(slot, self._close)
            unchecked, ledger.unchecked = ledger.unchecked, []
            for slot in unchecked:
                self._spawn(slot, self._examine)
            woken, ledger.woken = ledger.woken, []
            for party in woken:
                if party.wake is not None:
                    party.wake()
            raised, ledger.errors = ledger.errors, []
            for error in raised:
                self._complain("a hook raised", _FAILED_CHECK, error)
            lapsed, ledger.lapsed = ledger.lapsed, []
            for grant in lapsed:
                self.tell(
                    self.observer.released, grant.session, now - grant.granted_at, grant.stock.name
                )
        self._tell_changes()
        self.wake_at(self._supply.retry_due(now))
        if not ledger.slots:
            self._emptied.set()

    def tell(self, hook: Callable[..., None], *arguments: object) -> None:
        """Call an observer; what it raises is its own affair."""
        try:
            hook(*arguments)
        except Exception:
            log.exception("a pool observer raised", extra={"pool": self._ledger.name})

    def _tell_changes(self) -> None:
        for name, stock in self._ledger.stocks.items():
            state, target = self._told[name]
            if stock.breaker.state is not state:
                self.tell(self.observer.breaker_changed, stock.breaker.state, name)
            if stock.demand.target != target:
                self.tell(self.observer.warm_target_changed, stock.demand.target, name)
            self._told[name] = (stock.breaker.state, stock.demand.target)

    # ------------------------------------------------------------------ clients

    def fit(self, slot: Slot[T]) -> bool | Rest[bool]:
        """Whether an idle client may be handed out: known at once, or after the rest of its check."""
        is_fit = slot.stock.is_fit
        if is_fit is None:
            return self.check(slot)
        fit = False
        try:
            fit = bool(is_fit(slot.client))  # type: ignore[arg-type]
        except Exception as error:
            self._complain("a hook raised", _FAILED_CHECK, error)
        if not fit:
            self._ledger.doom(slot, _FAILED_CHECK)
        return fit

    def check(self, slot: Slot[T]) -> bool | Rest[bool]:
        """Run the check of a client that is not to be handed out yet, or as `fit` says."""
        check = slot.stock.factory.check(slot.client)  # type: ignore[arg-type]
        return self._begin(slot, check, _FAILED_CHECK)

    async def finish_check(self, slot: Slot[T], rest: Rest[bool]) -> None:
        """See a check to its end, then deliver the client or close it."""
        if await self._finish(slot, rest, _FAILED_CHECK):
            self._ledger.deliver(slot, _WARM, self._clock())
        self.settle()

    def begin_reset(self, slot: Slot[T]) -> Rest[bool] | None:
        """Make a client that was given back as new, then deliver it or close it. Returns what is
        left to do if the reset waits, for `finish_reset`."""
        reset = slot.stock.factory.reset(slot.client)  # type: ignore[arg-type]
        fit = self._begin(slot, reset, _FAILED_RESET)
        if isinstance(fit, Rest):
            return fit
        if fit:
            self._ledger.deliver(slot, _WARM, self._clock())
        return None

    async def finish_reset(self, slot: Slot[T], rest: Rest[bool]) -> None:
        """See a reset to its end, then deliver the client or close it."""
        if await self._finish(slot, rest, _FAILED_RESET):
            self._ledger.deliver(slot, _WARM, self._clock())
        self.settle()

    def _begin(
        self,
        slot: Slot[T],
        hook: Coroutine[Any, Any, bool],
        cause: DiscardCause,
    ) -> bool | Rest[bool]:
        """Run a hook up to its first wait. A client it refuses is doomed."""
        try:
            outcome = begin(hook)
            if outcome is True:
                return True
            if isinstance(outcome, Rest):
                slot.stock.returning += 1  # until `_finish`
                return outcome
            if outcome:
                return True
        except Exception as error:
            self._complain("a hook raised", cause, error)
        except BaseException:
            self._ledger.doom(slot, DiscardCause.CANCELLED)
            self.settle()
            raise
        self._ledger.doom(slot, cause)
        return False

    async def _finish(self, slot: Slot[T], rest: Rest[bool], cause: DiscardCause) -> bool:
        """The rest of a hook, bounded. A client it refuses, or that was cancelled in it, is doomed."""
        fit: bool | None = None
        try:
            fit = bool(await rest.finish(self._hook_seconds))
        except Exception as error:
            self._complain("a hook raised", cause, error)
            fit = False
        finally:
            slot.stock.returning -= 1
            if not fit:
                self._ledger.doom(slot, DiscardCause.CANCELLED if fit is None else cause)
                self.settle()
        return fit

    async def _examine(self, slot: Slot[T]) -> None:
        """Check a client that the ledger has set aside, counting it as returning meanwhile."""
        slot.stock.returning -= 1  # `examine` counted it; a check that waits counts for itself
        fit = self.check(slot)
        if isinstance(fit, Rest):
            await self.finish_check(slot, fit)
            return
        if fit:
            self._ledger.deliver(slot, _WARM, self._clock())
        self.settle()

    async def _open(self, slot: Slot[T]) -> None:
        supply, name = self._supply, slot.stock.name
        began = self._clock()
        try:
            await self._connect(slot)
        except Exception as error:
            now = self._clock()
            supply.failed(slot, error, now)
            self.tell(self.observer.open_failed, error, now - began, name)
        except BaseException:
            supply.abandoned(slot)
            raise
        else:
            now = self._clock()
            supply.opened(slot, now, now - began)
            self.tell(self.observer.opened, now - began, name)
        finally:
            self.settle()

    async def _connect(self, slot: Slot[T]) -> None:
        """Open and verify, in time. Whatever happens, an opened client is in its slot."""
        factory = slot.stock.factory
        async with asyncio.timeout(self._ledger.options.open_seconds):
            slot.client = await factory.open()
            if slot.client is None:
                raise TypeError("the factory's open() returned None instead of a client")
            if not await factory.warm(slot.client):
                raise ConnectionError("the factory's warm() said that the client is no good")

    async def _close(self, slot: Slot[T]) -> None:
        now = self._clock()
        cause = slot.cause or DiscardCause.CLOSED
        try:
            async with asyncio.timeout(self._hook_seconds):
                await slot.stock.factory.close(slot.client)  # type: ignore[arg-type]
        except Exception as error:
            self._complain("closing a client failed", cause, error)
        finally:
            self._ledger.gone(slot)
            self.tell(self.observer.closed, cause, now - slot.opened_at, slot.uses, slot.stock.name)
            self.settle()

    def _complain(self, message: str, cause: DiscardCause, error: Exception) -> None:
        # The type only: what a provider writes into its messages is not ours to log.
        log.warning(
            message,
            extra={
                "pool": self._ledger.name,
                "cause": cause.value,
                "error_type": type(error).__name__,
            },
        )

    # ------------------------------------------------------------------ tasks and the timer

    def _spawn(
        self, slot: Slot[T], work: Callable[[Slot[T]], Coroutine[Any, Any, None]]
    ) -> asyncio.Task[None]:
        token = object()
        self._unbegun.add(token)
        task = asyncio.get_running_loop().create_task(self._run(token, slot, work))
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, token, slot))
        return task

    async def _run(
        self, token: object, slot: Slot[T], work: Callable[[Slot[T]], Coroutine[Any, Any, None]]
    ) -> None:
        self._unbegun.discard(token)
        await work(slot)

    def _ended(self, token: object, slot: Slot[T], task: asyncio.Task[None]) -> None:
        """See to a task that was cancelled before its first step: nothing of it has run, not even
        what it does on being cancelled."""
        self._tasks.discard(task)
        if token not in self._unbegun:
            return
        self._unbegun.discard(token)
        if slot.state is SlotState.OPENING:
            self._supply.abandoned(slot)
        elif slot.state is SlotState.CHECKING:
            slot.stock.returning -= 1
            self._ledger.doom(slot, DiscardCause.CANCELLED)
        else:
            self._spawn(slot, self._close)
        self.settle()

    async def opens_ended(self) -> None:
        """Wait until no open is in progress."""
        while self._opens:
            await asyncio.wait(set(self._opens))

    async def finish(self) -> None:
        """Cancel what is being opened and wait until every client is closed."""
        for task in self._opens:
            task.cancel()
        self.settle()
        while self._ledger.slots or self._tasks:
            self._emptied.clear()
            if self._tasks:
                await asyncio.wait(set(self._tasks))
            else:  # a client is in the hands of a caller's task: a check or reset, bounded
                await self._emptied.wait()
        self._disarm()

    def wake_at(self, when: float) -> None:
        """See that the timer fires no later than `when`, on the pool's clock."""
        if when >= self._timer_due or self._ledger.phase is Phase.CLOSED:
            return
        self._disarm()
        self._timer_due = when
        delay = max(0.0, when - self._clock())
        self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._timer_due = float("inf")

    def _on_timer(self) -> None:
        self._disarm()
        self.sweep()

    def sweep(self) -> None:
        """Do what is due: expire leases, refuse who waited too long, close what is worn, check."""
        now = self._clock()
        for grant in self._supply.sweep(now):
            self.tell(
                self.observer.leak_suspected,
                grant.lease_id,
                grant.session,
                now - grant.granted_at,
                grant.stock.name,
            )
        self.settle()
        self.wake_at(self._supply.next_due(now))
