"""Clips of recorded speech with their transcripts, and how to count what was misheard."""

from __future__ import annotations

import re
import wave
from dataclasses import dataclass
from pathlib import Path

from speech_pool.engines.pcm import Samples, to_samples

FOLDER = Path(__file__).parent / "recordings"

_DIGITS = "zero one two three four five six seven eight nine ten".split()  # noqa: SIM905 - clearer


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording of a person, and the words in it."""

    name: str
    words: str
    samples: Samples
    hertz: int


def read_wav(path: Path) -> tuple[Samples, int]:
    """The samples of a 16-bit mono WAV file, and its rate."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2), path.name
        return to_samples(file.readframes(file.getnframes())), file.getframerate()


def vendored_clips() -> list[Clip]:
    """The clips of `tests/support/recordings`."""
    lines = (FOLDER / "transcripts.tsv").read_text().splitlines()
    return [
        Clip(name, words, *read_wav(FOLDER / name))
        for name, words in (line.split("\t") for line in lines)
    ]


def words_of(text: str) -> list[str]:
    """Words without case and marks, figures up to ten as words: `5-5!` is `five five`."""
    words = re.findall(r"[a-z']+|\d+", text.lower())
    return [_DIGITS[int(word)] if word.isdigit() and int(word) <= 10 else word for word in words]


def misheard(said: str, heard: str) -> int:
    """Words to insert, drop or replace to make one of the other (Levenshtein)."""
    wanted, got = words_of(said), words_of(heard)
    row = list(range(len(got) + 1))
    for number, word in enumerate(wanted, 1):
        previous, row[0] = row[0], number
        for at, other in enumerate(got, 1):
            cost = previous + (word != other)
            previous, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, cost)
    return row[-1]


def word_error_rate(pairs: list[tuple[str, str]]) -> float:
    """Misheard words as a part of those said, over pairs of (said, heard)."""
    said = sum(len(words_of(words)) for words, _ in pairs)
    return sum(misheard(*pair) for pair in pairs) / said
