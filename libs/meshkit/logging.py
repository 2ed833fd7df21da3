"""Logs: one JSON object a line, a constant message with fields, the call's ids in every record.

    logger = get_logger("api.v1.media")
    logger.info("media connected", extra={"frames": 12})

What people say never goes into a message or a field; should it get there, `Redaction` takes it out
of message, fields and traceback before any sink formats the record. Records of libraries come the same
way: handlers of their own are taken from them. Equal records are limited, see `meshkit.log_repeats`:
warnings and worse by logger and message, milder ones by session too, since each tells of another call.
`console` is the readable form of the same records, for `voicemesh up`.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, TextIO

from pythonjsonlogger.json import JsonFormatter

from meshkit.context import current_ids
from meshkit.log_repeats import RepeatLimit
from meshkit.redaction import redact, redact_fields

LogFormat = Literal["json", "console"]
_Kind = tuple[str, int, str, str]
"""Logger, level, message, and the session of a record milder than a warning."""

_ROOT = "voicemesh"
_REPEATED = "repeated"
_REDACTED = "_voicemesh_redacted"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    _REDACTED,
}
_OURS = frozenset({"service", _REPEATED})
_TRACEBACKS = logging.Formatter()


def get_logger(name: str) -> logging.Logger:
    """The logger `voicemesh.{name}`; dotted names inherit levels as usual."""
    return logging.getLogger(f"{_ROOT}.{name}")


def configure_logging(
    service: str,
    level: str = "INFO",
    form: LogFormat = "json",
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Send the process's logs to standard error. `level` is a standard level name, any case.

    Raises ValueError for an unknown level.
    """
    handler = _Sink(monotonic)
    handler.addFilter(_StampIds(service))
    handler.addFilter(handler.admits)
    handler.addFilter(Redaction())
    handler.setFormatter(_json_formatter() if form == "json" else _ConsoleFormatter())
    logging.root.handlers[:] = [handler]
    _take_over()
    logging.root.setLevel(logging.WARNING)
    set_level(level)
    logging.captureWarnings(True)


def _take_over() -> None:
    """Take from loggers of libraries the handlers of their own, which would have records unredacted."""
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger) and not logger.name.startswith(_ROOT):
            logger.handlers[:] = [h for h in logger.handlers if isinstance(h, logging.NullHandler)]
            logger.propagate = True


def set_level(level: str, logger: str = "") -> None:
    """Change the least severe level of our own logs, or of one logger and those below it, at once.

    `logger` is a name as `get_logger` takes it. Raises ValueError for an unknown level.
    """
    logging.getLogger(f"{_ROOT}.{logger}" if logger else _ROOT).setLevel(level.upper())


def _json_formatter() -> logging.Formatter:
    return JsonFormatter(
        "%(levelname)s %(name)s %(message)s",
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp="time",
        json_ensure_ascii=False,
    )


class _Sink(logging.StreamHandler[TextIO]):
    """Standard error, with equal records limited."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__(sys.stderr)
        self._monotonic = monotonic
        self._limit: RepeatLimit[_Kind] = RepeatLimit()
        self._watched = threading.Lock()

    def admits(self, record: logging.LogRecord) -> bool:
        """Whether a record passes; tells first of what did not, in windows that are over."""
        if hasattr(record, _REPEATED):
            return True
        now = self._monotonic()
        with self._watched:
            over = self._limit.over(now)
            passes = self._limit.admits(_kind(record), now)
        self._tell(over)
        return passes

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Tell that a record was lost: logging's own way writes raw tracebacks to standard error."""
        kind = sys.exc_info()[0]
        if kind is None or issubclass(kind, OSError):
            return  # standard error itself is gone
        lost = {"level": "ERROR", "logger": record.name, "message": "a log record was lost"}
        with suppress(Exception):
            self.stream.write(json.dumps(lost | {"cause": kind.__name__}) + self.terminator)

    def close(self) -> None:
        """Tell of all that did not pass, then close."""
        with self._watched:
            over = self._limit.over(float("inf"))
        self._tell(over)
        super().close()

    def _tell(self, over: list[tuple[_Kind, int]]) -> None:
        for (name, level, message, _), count in over:
            record = logging.LogRecord(name, level, "", 0, message, None, None)
            setattr(record, _REPEATED, count)
            self.handle(record)


def _kind(record: logging.LogRecord) -> _Kind:
    session = getattr(record, "session", "") if record.levelno < logging.WARNING else ""
    return record.name, record.levelno, _words(record.msg), _words(session)


def _words(value: object) -> str:
    """What a record was given as text; its type where it has none to give."""
    try:
        return str(value)
    except Exception:
        return f"[{type(value).__name__}]"


class _StampIds(logging.Filter):
    """Puts the service and the ids of the call at hand on every record."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def filter(self, record: logging.LogRecord) -> bool:
        record.service = self._service
        for name, value in current_ids().items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


class Redaction(logging.Filter):
    """Takes personal data and secrets out of a record, in place, so that no later sink has them.

    Any handler that does not come after ours must be given one of its own. A record is redacted
    once. One that cannot be put in words (arguments that do not fit the message, an object whose text
    fails) is told without its content: logging never fails its caller.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, _REDACTED, False):
            return True
        try:
            self._redact(record)
        except Exception as error:
            _withhold(record, error)
        setattr(record, _REDACTED, True)
        return True

    def _redact(self, record: logging.LogRecord) -> None:
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info:
            record.exc_text = redact(_TRACEBACKS.formatException(record.exc_info))
            record.exc_info = None
        elif record.exc_text:  # whoever handled the record before has put its traceback in words
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        own = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        vars(record).update(redact_fields(own))


def _withhold(record: logging.LogRecord, error: Exception) -> None:
    """Leave of a record only where it came from, the call at hand, and what it failed with."""
    for name in vars(record).keys() - _STANDARD - _OURS:
        delattr(record, name)
    vars(record).update(current_ids())
    record.msg, record.args = "a log record could not be put in words", None
    record.exc_info = record.exc_text = record.stack_info = None
    record.at, record.cause = f"{record.filename}:{record.lineno}", type(error).__name__


class _ConsoleFormatter(logging.Formatter):
    """`INFO media connected  session=a frames=12`."""

    def format(self, record: logging.LogRecord) -> str:
        hidden = _STANDARD | {"service", "trace"}
        fields = {k: v for k, v in vars(record).items() if k not in hidden}
        tail = "".join(f" {key}={value}" for key, value in fields.items())
        line = f"{record.levelname:<7} {record.getMessage()}{'  ' if tail else ''}{tail.lstrip()}"
        return f"{line}\n{record.exc_text}" if record.exc_text else line
