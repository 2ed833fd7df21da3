"""A factory for pools under test, whose every step a test can hold up, fail, or watch; and a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from warmpool import Reuse


class Clock:
    """Time that passes when a test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass(eq=False)
class Client:
    """What the factory makes. `alive` is what a check finds."""

    number: int
    alive: bool = True
    resets: int = 0
    checks: int = 0
    asked: int = 0
    """How often it was asked whether it is fit."""
    closes: int = 0
    busy: bool = False


@dataclass(eq=False)
class Factory:
    """Makes numbered clients at once, unless told otherwise."""

    reuse: Reuse = Reuse.RESET
    made: list[Client] = field(default_factory=list)
    attempts: int = 0
    opening_now: int = 0
    opening_peak: int = 0
    gate: asyncio.Event | None = None
    """While unset, opens wait."""
    open_error: Callable[[], BaseException] | None = None
    """Makes what each open raises."""
    warm_answer: bool | BaseException = True
    reset_answer: bool | BaseException = True
    close_error: BaseException | None = None
    hook_turns: int = 0
    """Loop turns that every hook takes."""
    hook_gate: asyncio.Event | None = None
    """While unset, checks and resets wait."""

    async def open(self) -> Client:
        self.attempts += 1
        self.opening_now += 1
        self.opening_peak = max(self.opening_peak, self.opening_now)
        try:
            await self._turns()
            if self.gate is not None:
                await self.gate.wait()
            if self.open_error is not None:
                raise self.open_error()
            client = Client(len(self.made) + 1)
            self.made.append(client)
            return client
        finally:
            self.opening_now -= 1

    async def warm(self, client: Client) -> bool:
        await self._turns()
        return _answer(self.warm_answer)

    async def check(self, client: Client) -> bool:
        client.checks += 1
        await self._hold_up()
        return client.alive

    async def reset(self, client: Client) -> bool:
        client.resets += 1
        await self._hold_up()
        return _answer(self.reset_answer)

    async def close(self, client: Client) -> None:
        client.closes += 1
        await self._turns()
        if self.close_error is not None:
            raise self.close_error

    def in_use(self, client: Client) -> bool:
        return client.busy

    @property
    def open_clients(self) -> list[Client]:
        """Made and not closed."""
        return [client for client in self.made if not client.closes]

    async def _hold_up(self) -> None:
        await self._turns()
        if self.hook_gate is not None:
            await self.hook_gate.wait()

    async def _turns(self) -> None:
        for _ in range(self.hook_turns):
            await asyncio.sleep(0)


@dataclass(eq=False)
class TellingFactory(Factory):
    """Its clients know at once whether they are fit."""

    fit_error: Exception | None = None

    def is_fit(self, client: Client) -> bool:
        client.asked += 1
        if self.fit_error is not None:
            raise self.fit_error
        return client.alive


def _answer(answer: bool | BaseException) -> bool:
    if isinstance(answer, BaseException):
        raise answer
    return answer


async def settle(turns: int = 20) -> None:
    """Let everything that can run without time passing run."""
    for _ in range(turns):
        await asyncio.sleep(0)
