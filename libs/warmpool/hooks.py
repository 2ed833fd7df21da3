"""Runs a factory's hook under a time bound that costs nothing when the hook does not wait.

`asyncio.timeout` takes several microseconds, more than a whole allocation may. Most checks and
resets never suspend, so a hook is first run up to its first wait; only if there is one, the rest
is put under a timeout. The rest runs in the same task, so the hook may use timeouts of its own.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

R = TypeVar("R")


class Rest(Generic[R]):
    """The part of a coroutine after its first wait. Must be finished, once, by the same task."""

    __slots__ = ("_coroutine", "_yielded")

    def __init__(self, coroutine: Coroutine[Any, Any, R], yielded: Any) -> None:
        self._coroutine = coroutine
        self._yielded = yielded

    async def finish(self, seconds: float) -> R:
        """The coroutine's result. Raises TimeoutError after `seconds`, else what it raises."""
        async with asyncio.timeout(seconds):
            return await _resume(self._coroutine, self._yielded)


def begin(coroutine: Coroutine[Any, Any, R]) -> R | Rest[R]:
    """Run up to the first wait: the result if there is none, else the rest. Raises what it raises."""
    try:
        yielded = coroutine.send(None)
    except StopIteration as stop:
        result: R = stop.value
        return result
    return Rest(coroutine, yielded)


@types.coroutine
def _resume(coroutine: Coroutine[Any, Any, R], yielded: Any) -> Generator[Any, Any, R]:
    while True:
        try:
            sent = yield yielded
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:
            thrown: BaseException | None = error
        else:
            thrown = None
        try:
            yielded = coroutine.send(sent) if thrown is None else coroutine.throw(thrown)
        except StopIteration as stop:
            result: R = stop.value
            return result
