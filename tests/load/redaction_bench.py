"""How much redaction finds and spoils, what it costs a log record, and the memory it loads.

    python -m tests.load.redaction_bench [--corpora]

`--corpora` prints the first only. How an item and a span count, and which finder an item meets, is
said in `tests.support.redaction_scoring`. Each row of costs is the median over repeats of records that
go through the whole formatter into a null sink. Texts are distinct, so that none is answered from the
cache, unless the row says otherwise.
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
from tests.support.redaction_corpus import POSITIVES, marked
from tests.support.redaction_negatives import NEGATIVES
from tests.support.redaction_scoring import (
    Item,
    Score,
    Span,
    as_met,
    halves,
    independent,
    mode,
    scored,
)

ROUNDS = 2000
REPEATS = 7
GOAL_MICROSECONDS = 100.0
"""What redaction may add to a usual record."""
NUMBERS = count(10_000)


def older(part: int) -> list[Item]:
    """A half of the corpus that has one author with the finders."""
    some = [
        Item(text, tuple(Span("MARKED", secret) for secret in secrets))
        for text, secrets in map(marked, POSITIVES[part::2])
    ]
    return some + [Item(text, ()) for text in NEGATIVES[part::2]]


def corpora() -> Iterator[tuple[str, Score]]:
    """A row for each corpus and finder."""
    items = independent()
    development, held_out = halves(items)
    yield "independent, held out", scored(held_out, as_met)
    yield "independent, development", scored(development, as_met)
    for name in ("json", "program", "said"):
        some = [item for item in held_out if mode(item.text) == name]
        yield f"  held out, met as {name}", scored(some, as_met)
    yield "independent, whole", scored(items, as_met)
    yield "independent, all as a program's", scored(items, redact)
    yield "independent, all as said", scored(items, redact_said)
    yield "own, tuned on", scored(older(0), redact)
    yield "own, held out", scored(older(1), redact)


def print_corpora() -> None:
    """Recall and precision by item and by span, and by kind where kinds are told."""
    print(f"{'corpus':<34}{'items':>6}{'found':>6}{'recall':>8}{'stay':>6}{'spoilt':>7}", end="")
    print(f"{'precis.':>8} |{'spans':>6}{'recall':>8}{'taken':>6}{'precis.':>8}")
    rows = list(corpora())
    for name, s in rows:
        found = s.items - len(s.missed)
        print(f"{name:<34}{s.items:>6}{found:>6}{s.recall:>8.3f}{s.stay:>6}", end="")
        print(f"{len(s.spoiled):>7}{s.precision:>8.3f} |{sum(s.spans.values()):>6}", end="")
        print(f"{s.span_recall:>8.3f}{s.replaced:>6}{s.span_precision:>8.3f}")
    rows = [row for row in rows[:6] if not row[0].startswith(" ")]
    print(f"\n{'spans found, by kind':<34}" + "".join(f"{name:>28}" for name, _ in rows))
    for kind in sorted(rows[-1][1].spans):
        cells = (
            f"{s.spans.get(kind, 0) - s.leaked.get(kind, 0)} of {s.spans.get(kind, 0)}"
            for _, s in rows
        )
        print(f"{kind:<34}" + "".join(f"{cell:>28}" for cell in cells))


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
    print_corpora()
    if "--corpora" in sys.argv[1:]:
        return 0
    print(f"\n{machine()}")
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
