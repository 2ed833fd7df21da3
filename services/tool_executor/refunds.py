"""Fees that the demo's bank gave back: kept on disk, each fee once, each request once.

What the bank of a deployment keeps is its own; the claims and the limits of a call are the
session-store's. This is the effect itself: the booking that may not be made twice.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

WAIT_SECONDS = 2.0
"""For another process that writes."""

_TABLE = """
CREATE TABLE IF NOT EXISTS refund (
    client_id TEXT NOT NULL, fee TEXT NOT NULL, charged_on TEXT NOT NULL, name TEXT NOT NULL,
    amount TEXT NOT NULL, booked_on TEXT NOT NULL, request_id TEXT NOT NULL UNIQUE,
    PRIMARY KEY (client_id, fee, charged_on)
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Fee:
    """A fee as it was charged. The demo's days move on, so the day tells one fee from the next."""

    client_id: str
    transaction: str
    charged_on: date
    name: str
    """Such as `Late payment fee`."""
    amount: Decimal
    """In dollars, positive."""


@dataclass(frozen=True, slots=True)
class Refund:
    """A fee that was given back."""

    fee: Fee
    booked_on: date
    request_id: str


class Refunds:
    """The bookings, in a file; without one, in memory. Every method may wait for the disk."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._lock = path, threading.Lock()
        self._held: sqlite3.Connection | None = None

    def book(self, fee: Fee, today: date, request_id: str) -> Refund:
        """The fee's refund: a new one, or the one that was there. Raises sqlite3.Error.

        Whether it is this request's is told by its request_id.
        """
        row = (fee.client_id, fee.transaction, fee.charged_on.isoformat())
        rest = (fee.name, str(fee.amount), today.isoformat(), request_id)
        with self._connected() as connection:
            connection.execute(
                "INSERT INTO refund VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (client_id, fee, charged_on) DO NOTHING",
                (*row, *rest),
            )
            kept = connection.execute(
                "SELECT * FROM refund WHERE client_id = ? AND fee = ? AND charged_on = ?", row
            ).fetchone()
        return _refund(kept)

    def of(self, client_id: str) -> list[Refund]:
        """All refunds of a client. Raises sqlite3.Error."""
        if self._path is not None and not self._path.exists():
            return []  # nothing was ever refunded: no file is made by reading
        with self._connected() as connection:
            rows = connection.execute("SELECT * FROM refund WHERE client_id = ?", (client_id,))
            return [_refund(row) for row in rows.fetchall()]

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection within a transaction, for one thread at a time."""
        with self._lock, contextlib.ExitStack() as stack:
            if self._path is None:
                self._held = self._held or _opened(":memory:")
                connection = self._held
            else:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                connection = stack.enter_context(contextlib.closing(_opened(str(self._path))))
            with connection:
                yield connection


def _opened(place: str) -> sqlite3.Connection:
    connection = sqlite3.connect(place, timeout=WAIT_SECONDS, check_same_thread=False)
    connection.execute(_TABLE)
    return connection


def _refund(row: Sequence[str]) -> Refund:
    client_id, transaction, charged_on, name, amount, booked_on, request_id = row
    charged = Fee(client_id, transaction, date.fromisoformat(charged_on), name, Decimal(amount))
    return Refund(charged, date.fromisoformat(booked_on), request_id)
