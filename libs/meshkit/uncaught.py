"""Failures that nobody caught, told as records of the log instead of raw text on standard error.

An exception's message may hold what a caller said. Python's own hooks write it past every handler and
its filters: of the main thread, of other threads, of finalisers, and records from before the logs are
configured. asyncio's loop logs by itself, but with the task's text as the message, a new one each time.

`faulthandler`, which nobody here switches on, writes names of files and functions and no values. gRPC's
own notices are off (`meshkit/__init__.py`); who sets GRPC_VERBOSITY has them raw on standard error.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from types import TracebackType
from typing import Any

from meshkit.logging import Redaction, get_logger

_LOGGER = get_logger("uncaught")


def tell_uncaught() -> None:
    """Log what would end the process, a thread or a finaliser unseen. For the main of a process."""
    sys.excepthook = _ended
    threading.excepthook = _thread_ended
    sys.unraisablehook = _could_not_raise
    if logging.lastResort is not None and not logging.lastResort.filters:
        logging.lastResort.addFilter(Redaction())


def tell_of_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Log what a task or a callback of the loop failed with, if nobody asked."""
    loop.set_exception_handler(_loop_failed)


def _ended(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    _LOGGER.critical("process ended by an exception", exc_info=(kind, error, traceback))


def _thread_ended(args: threading.ExceptHookArgs) -> None:
    if issubclass(args.exc_type, SystemExit):
        return
    error = args.exc_value or args.exc_type()
    _LOGGER.error(
        "thread ended by an exception", exc_info=(args.exc_type, error, args.exc_traceback)
    )


def _could_not_raise(args: sys.UnraisableHookArgs) -> None:
    # The object's text may be anything; its type says where to look.
    error = args.exc_value or args.exc_type()
    _LOGGER.error(
        "exception where none can be raised",
        exc_info=(args.exc_type, error, args.exc_traceback),
        extra={"of": type(args.object).__name__},
    )


def _loop_failed(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    _LOGGER.error(
        "nobody asked what a task failed with",
        exc_info=(type(error), error, error.__traceback__) if error is not None else None,
        extra={"cause": context.get("message", "")},
    )
