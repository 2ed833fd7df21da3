"""Runs the body of one tool within its deadline and off the loop, and counts what runs at once.

A body that is still running after its deadline (a thread, or a coroutine that will not be
cancelled) keeps its slot until it ends: the limit says what runs, not what is waited for.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

from meshkit.errors import MeshError, Reason
from meshkit.logging import get_logger
from toolkit import OutcomeUnknown, Tool, ToolContext, ToolResult
from toolkit.local import as_result, is_async, positional_of

logger = get_logger("tool_executor.running")

RETRY_AFTER_SECONDS = 0.25
STOP_SECONDS = 2.0
"""How long a body that is stopped may take to put things in order."""


class ToolTimedOut(Exception):
    """The body did not answer within its deadline."""


class ToolStopped(Exception):
    """The body was asked to stop. `clean` says that it did, in time."""

    def __init__(self, *, clean: bool) -> None:
        super().__init__("stopped")
        self.clean = clean


class ToolRaised(Exception):
    """The body raised. The message is its type, and never what it said."""


class Slots:
    """How many bodies run: at most `limit` in all, and of a tool what it declares."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: Counter[str] = Counter()

    def take(self, tool: Tool) -> None:
        """Raises TOOL_CONCURRENCY_EXCEEDED."""
        if self._running[tool.name] >= tool.concurrency:
            raise _exceeded(f"{tool.name} runs {tool.concurrency} times already")
        if self._running.total() >= self._limit:
            raise _exceeded(f"{self._limit} tools run already")
        self._running[tool.name] += 1

    def give_back(self, tool: Tool) -> None:
        """One body has ended."""
        self._running[tool.name] -= 1

    @property
    def taken(self) -> int:
        """How many bodies run now."""
        return self._running.total()


async def run_body(
    tool: Tool,
    given: Any,
    context: ToolContext,
    slots: Slots,
    stop: asyncio.Event | None = None,
) -> ToolResult:
    """What the body answers. The slot must be taken; it is given back when the body has ended.

    `stop`, where there is one, cancels the body when it is set; one that comes to a result all the
    same has it. Raises ToolTimedOut, ToolRaised, ToolStopped, OutcomeUnknown.
    """
    body = asyncio.create_task(_body(tool, given, context))
    body.add_done_callback(lambda _: slots.give_back(tool))
    body.add_done_callback(_retrieve)
    stopped = await _until_ended(body, tool.timeout_seconds, stop)
    if not stopped and not body.done():
        body.cancel()
        raise ToolTimedOut
    if stopped and (body.cancelled() or not body.done()):
        raise ToolStopped(clean=body.done())
    if body.cancelled():
        raise ToolRaised("CancelledError")
    return body.result()


async def _until_ended(
    body: asyncio.Task[ToolResult], seconds: float, stop: asyncio.Event | None
) -> bool:
    """Wait for the body, at most so long; whether it was stopped meanwhile."""
    if stop is None:
        await _ended(body, seconds)
        return False
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({body, stopping}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
    if body.done() or not stop.is_set():
        return False
    body.cancel()
    await asyncio.wait({body}, timeout=STOP_SECONDS)
    return True


async def _ended(body: asyncio.Task[ToolResult], seconds: float) -> None:
    """As `asyncio.wait` of the one task, at half its price: every run comes by here."""
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def wake(_: object = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    timer = loop.call_later(seconds, wake)
    body.add_done_callback(wake)
    try:
        await waiter
    finally:
        timer.cancel()
        body.remove_done_callback(wake)


async def _body(tool: Tool, given: Any, context: ToolContext) -> ToolResult:
    positional = positional_of(tool, given, context)
    try:
        if is_async(tool):
            return as_result(await tool.body(*positional))
        answer = await _in_thread(tool, positional)
        return as_result(await answer if inspect.isawaitable(answer) else answer)
    except (asyncio.CancelledError, OutcomeUnknown):
        raise
    except BaseException as error:  # SystemExit of a tool must not end the process
        _log(tool, error)
        raise ToolRaised(type(error).__name__) from None


async def _in_thread(tool: Tool, positional: tuple[Any, ...]) -> Any:
    """Call it in a thread of its own, waited for to its end even if cancelled.

    The thread is a daemon, because a hung one must not keep the process from ending; and there is
    no pool of them, because hung ones would use it up. Their number is bounded by the slots.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Any] = loop.create_future()
    call = contextvars.copy_context().run

    def run() -> None:
        try:
            answer, error = call(tool.body, *positional), None
        except BaseException as raised:
            answer, error = None, raised
        _tell(loop, lambda: _settle(ended, answer, error))

    threading.Thread(target=run, name=f"tool-{tool.name}", daemon=True).start()
    cancelled = False
    while not ended.done():
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            cancelled = True
        except BaseException:  # noqa: S112 (it is raised below)
            continue
    if cancelled:
        ended.exception()
        raise asyncio.CancelledError
    return ended.result()


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:
        return  # the loop closed while the thread still ran


def _settle(ended: asyncio.Future[Any], answer: Any, error: BaseException | None) -> None:
    if isinstance(error, StopIteration):  # a future cannot carry it
        error = RuntimeError("StopIteration")
    if error is None:
        ended.set_result(answer)
    else:
        ended.set_exception(error)


def _retrieve(body: asyncio.Task[Any]) -> None:
    """What a body that came too late raises has been logged and interests nobody."""
    if not body.cancelled():
        body.exception()


def _log(tool: Tool, error: BaseException) -> None:
    """Type and place only: what an exception says may repeat what the caller said."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    logger.error(
        "tool raised", extra={"tool": tool.name, "cause": type(error).__name__, "place": place}
    )


def _exceeded(what: str) -> MeshError:
    return MeshError(
        Reason.TOOL_CONCURRENCY_EXCEEDED, what, retry_after_seconds=RETRY_AFTER_SECONDS
    )
