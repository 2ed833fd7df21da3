"""What redaction costs: microseconds a log record with and without it, and the memory it loads.

Each row is the median over repeats of records that go through the whole formatter into a null sink.
Texts are distinct, so that none is answered from the cache, unless the row says otherwise.
"""

from __future__ import annotations

import io
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count

from meshkit.context import call_context, new_trace
from meshkit.logging import configure_logging, get_logger
from meshkit.redaction import redact, redact_said
from tests.load.measure import machine

ROUNDS = 2000
REPEATS = 7
GOAL_MICROSECONDS = 100.0
"""What redaction may add to a usual record."""
NUMBERS = count(10_000)


def letters(number: int) -> str:
    """A word of its own for each number."""
    return "".join(chr(97 + int(digit)) for digit in str(number))


def microseconds(once: Callable[[], object]) -> float:
    """The median time of one call."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        for _ in range(ROUNDS):
            once()
        times.append((time.perf_counter() - began) / ROUNDS * 1e6)
    return statistics.median(times)


def texts() -> Iterator[tuple[str, Callable[[], object]]]:
    """Rows on text alone."""
    yield "constant message (cached)", lambda: redact("journal not written")
    yield "cause without digits", lambda: redact(f"no such voice {letters(next(NUMBERS))}")
    yield "cause with an address", lambda: redact(f"ipv4:10.0.0.7:{next(NUMBERS)}: refused (111)")
    yield "sentence with a phone", lambda: redact(f"{letters(next(NUMBERS))} at 415 555 2671")
    yield (
        "utterance of 60 letters",
        lambda: redact_said(f"I was charged {next(NUMBERS) % 900} dollars twice on my card in May"),
    )


def with_and_without(log: Callable[[], object]) -> tuple[float, float]:
    """Microseconds of a record with redaction and without."""
    handler = logging.root.handlers[0]
    redacted = microseconds(log)
    taken = handler.filters[-1]
    handler.removeFilter(taken)
    plain = microseconds(log)
    handler.addFilter(taken)
    return redacted, plain


def megabytes(statement: str) -> float:
    """Resident memory that a statement adds to a process that has meshkit's logging."""
    script = (
        "import meshkit.logging, grpc, pydantic, urllib.parse, unicodedata\n"
        "def rss(): return int(open('/proc/self/statm').read().split()[1]) * 4 / 1024\n"
        f"before = rss()\n{statement}\nprint(rss() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def main() -> int:
    print(machine())
    print(f"{'text':<36}{'us':>8}")
    for name, once in texts():
        print(f"{name:<36}{microseconds(once):>8.1f}")

    sys.stderr = io.StringIO()
    ticks = count(0, 10)  # each record in a window of its own, so that none is held back
    configure_logging("bench", monotonic=lambda: float(next(ticks)))
    logger = get_logger("bench")
    extra = {"reason": "UNAVAILABLE", "peer": "session-store", "waited_ms": 12}
    print(f"\n{'record':<36}{'with':>8}{'without':>9}{'added':>8}")
    worst = 0.0
    with new_trace(), call_context(session="8f14e45f-ceea-467f", call="c1", turn="t3"):
        for name, log in {
            "constant, three fields": lambda: logger.warning("lease call failed", extra=extra),
            "a cause that is new each time": lambda: logger.warning(
                "name not resolved", extra={"cause": f"timed out after {next(NUMBERS)} ms"}
            ),
        }.items():
            redacted, plain = with_and_without(log)
            worst = max(worst, redacted - plain)
            print(f"{name:<36}{redacted:>8.1f}{plain:>9.1f}{redacted - plain:>8.1f}")

    print(f"\n{'memory':<36}{'MB':>8}")
    for name, statement in {
        "phone numbers": "from meshkit.redaction import redact; redact('415 555 2671')",
        "cards as well": "from meshkit.redaction import redact; redact('415 555 2671');"
        "redact('4111-1111-1111-1111')",
        "IBANs as well": "from meshkit.redaction import redact; redact('415 555 2671');"
        "redact('4111-1111-1111-1111'); redact('DE89 3704 0044 0532 0130 00')",
    }.items():
        print(f"{name:<36}{megabytes(statement):>8.1f}")
    return 0 if worst <= GOAL_MICROSECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
