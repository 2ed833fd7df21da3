"""Text as sound and back: audio that is its own transcript, for tests without models.

Every byte of the UTF-8 text sounds for 60 ms as three tones at once: one of sixteen for each half
of the byte, and one that alternates from byte to byte so that doubled letters stay apart. A byte
of value 4 (end of transmission) ends a text, so that the listener need not wait for silence. About
sixteen characters a second is the pace of speech.

All tones are multiples of 50 Hz, so that any 20 ms window that lies within one byte holds whole
periods of each: windows are told apart by plain correlation, wherever they start. A byte holds at
least two such windows. It survives framing, silence, resampling between 8 and 48 kHz, mu-law and
moderate noise, and being cut and resumed anywhere, which costs at most the byte that was cut.
"""

from __future__ import annotations

import codecs
import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HIGH_HERTZ = tuple(range(500, 2100, 100))
"""Tones of the upper half of a byte."""
LOW_HERTZ = tuple(range(2100, 3700, 100))
"""Tones of the lower half."""
TURN_HERTZ = (200, 350)
"""Tones of bytes at even and odd places."""
BYTE_SECONDS = 0.06
WINDOW_SECONDS = 0.02
AMPLITUDE = 5000
"""Peak of each of the three tones."""
END = "\x04"

_AUDIBLE = 500
"""Sample value above which a text begins."""
_CLEAR_SHARE = 0.75
"""Part of a window's power that must lie in its three tones; a window across two bytes has less."""
_WINDOWS_PER_BYTE = round(BYTE_SECONDS / WINDOW_SECONDS)


def byte_samples(sample_rate_hertz: int) -> int:
    """Samples that one byte of text sounds for."""
    return round(sample_rate_hertz * BYTE_SECONDS)


def duration_seconds(text: str, *, end: bool = True) -> float:
    """How long `encode` makes the text."""
    return (len(text.encode()) + end) * BYTE_SECONDS if text else 0.0


def encode(
    text: str, sample_rate_hertz: int = 16_000, *, end: bool = True, place: int = 0
) -> bytes:
    """16-bit PCM of `text`. `end`: mark its end, so that it is final at once. `place`: how many
    bytes went before, where this is a part of a longer text.

    Raises ValueError for a text that holds the end mark itself.
    """
    if END in text:
        raise ValueError("the text holds U+0004, which marks the end of a text")
    if not text:
        return b""
    table = _sounds(sample_rate_hertz)
    symbols = (text + END * end).encode()
    return b"".join(table[place % 2][symbol] for place, symbol in enumerate(symbols, place))


def decode(pcm: bytes, sample_rate_hertz: int = 16_000) -> str:
    """All texts in a recording, joined; noise and silence give nothing."""
    decoder = ToneDecoder(sample_rate_hertz)
    heard = decoder.push(pcm) + decoder.push(bytes(byte_samples(sample_rate_hertz) * 4))
    return "".join(event.text for event in heard if isinstance(event, TextEnded))


@dataclass(frozen=True, slots=True)
class TextBegan:
    """A first byte was heard; sound began at `sample` of the stream."""

    sample: int


@dataclass(frozen=True, slots=True)
class TextGrew:
    """More of the text is known: `text` is all of it so far, up to `sample`."""

    text: str
    sample: int


@dataclass(frozen=True, slots=True)
class TextEnded:
    """The text is complete. `marked`: by its end mark, not by silence."""

    text: str
    start: int
    end: int
    marked: bool


ToneEvent = TextBegan | TextGrew | TextEnded

_Symbol = tuple[int, int]
"""Turn and byte."""


class ToneDecoder:
    """Decodes a stream as it comes; a window of 20 ms costs one small product."""

    def __init__(self, sample_rate_hertz: int, silence_seconds: float = BYTE_SECONDS) -> None:
        """`silence_seconds`: ends a text that has no end mark."""
        self._rate = sample_rate_hertz
        self._size = round(sample_rate_hertz * WINDOW_SECONDS)
        self._basis = _basis(sample_rate_hertz)
        self.silence_seconds = silence_seconds
        self._held = np.zeros(0, np.float32)
        self._position = 0
        self._aligned = False
        self._events: list[ToneEvent] = []
        self._start_anew()

    def push(self, pcm: bytes) -> list[ToneEvent]:
        """Take whole samples of 16-bit PCM."""
        samples = np.frombuffer(pcm, "<i2").astype(np.float32)
        self._held = np.concatenate([self._held, samples]) if len(self._held) else samples
        while self._window_ready():
            window = self._held[: self._size]
            self._advance(self._size)
            self._hear(window)
        if self._is_nearly_over():
            self._finish(marked=True)
        return self._take_events()

    def flush(self) -> list[ToneEvent]:
        """End the text now, whatever is missing."""
        self._advance(len(self._held))  # part of a window, and of the text that ends
        self._aligned = False
        self._finish(marked=False)
        return self._take_events()

    def _take_events(self) -> list[ToneEvent]:
        events, self._events = self._events, []
        return events

    # ------------------------------------------------------------------ windows

    def _window_ready(self) -> bool:
        if not self._aligned and len(self._held):
            self._align()
        return self._aligned and len(self._held) >= self._size

    def _align(self) -> None:
        """Let the next window start at the first loud sample, so that it lies within one byte."""
        loud = np.abs(self._held) > _AUDIBLE
        self._aligned = bool(loud.any())
        silent = int(loud.argmax()) if self._aligned else len(loud)
        self._advance(silent)
        self._miss(silent)

    def _advance(self, samples: int) -> None:
        self._held = self._held[samples:]
        self._position += samples

    def _hear(self, window: NDArray[np.float32]) -> None:
        energy = float(window @ window)
        if energy < self._size * _AUDIBLE**2 / 2:
            self._aligned = False
            self._miss(self._size)
        elif (symbol := self._symbol(window, energy)) is None:
            self._miss(self._size)
        else:
            self._take(symbol)

    def _symbol(self, window: NDArray[np.float32], energy: float) -> _Symbol | None:
        """The byte that sounds in `window` and the turn it sounds in; None: none alone."""
        parts = self._basis @ window
        power = parts[: len(parts) // 2] ** 2 + parts[len(parts) // 2 :] ** 2
        high, low, turn = (int(power[group].argmax()) for group in _GROUPS)
        clear = power[high] + power[16 + low] + power[32 + turn]
        if clear * 2 / self._size < _CLEAR_SHARE * energy:
            return None
        return turn, high << 4 | low

    # ------------------------------------------------------------------ text

    def _start_anew(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._last: _Symbol | None = None
        self._windows = 0
        self._missed = 0

    def _take(self, symbol: _Symbol) -> None:
        self._missed = 0
        if symbol == self._last:
            self._windows += 1
        else:
            self._take_byte(symbol)
        self._heard_until = self._position
        if self._at_end_mark and self._windows == _WINDOWS_PER_BYTE:
            self._finish(marked=True)

    def _take_byte(self, symbol: _Symbol) -> None:
        if self._at_end_mark:
            self._finish(marked=True)
        if self._last is None:
            if symbol[1] == ord(END):
                return  # what is left of the text before
            self._began = self._position - self._size
            self._events.append(TextBegan(self._began))
        self._last, self._windows = symbol, 1
        if symbol[1] == ord(END):
            return
        self._text += self._utf8.decode(bytes([symbol[1]]))
        if symbol[1] == ord(" "):
            self._events.append(TextGrew(self._text, self._position))

    def _is_nearly_over(self) -> bool:
        """Whether only a few samples of the end mark are missing. Windows start a little late, at
        the first *loud* sample; without this a text would end with the frame after its last."""
        last_window = self._windows == _WINDOWS_PER_BYTE - 1
        return self._at_end_mark and last_window and len(self._held) >= self._size * 7 // 8

    @property
    def _at_end_mark(self) -> bool:
        return self._last is not None and self._last[1] == ord(END)

    def _miss(self, samples: int) -> None:
        """`samples` went by in which no byte was heard."""
        self._missed += samples
        if self._at_end_mark:
            self._finish(marked=True)
        elif self._missed >= self.silence_seconds * self._rate:
            self._finish(marked=False)

    def _finish(self, *, marked: bool) -> None:
        if self._last is not None:
            text = self._text + self._utf8.decode(b"", final=True)
            self._events.append(TextEnded(text, self._began, self._heard_until, marked))
        self._start_anew()


_GROUPS = (slice(0, 16), slice(16, 32), slice(32, 34))
_TONES = HIGH_HERTZ + LOW_HERTZ + TURN_HERTZ


@functools.cache
def _basis(sample_rate_hertz: int) -> NDArray[np.float32]:
    """Cosines, then sines, of every tone over one window."""
    at = np.arange(round(sample_rate_hertz * WINDOW_SECONDS)) / sample_rate_hertz
    angles = 2 * np.pi * np.array(_TONES)[:, None] * at
    return np.concatenate([np.cos(angles), np.sin(angles)]).astype(np.float32)


@functools.cache
def _sounds(sample_rate_hertz: int) -> tuple[list[bytes], list[bytes]]:
    """PCM of every byte at even and at odd places. Whole periods, so bytes join without clicks."""
    at = np.arange(byte_samples(sample_rate_hertz)) / sample_rate_hertz
    tones = AMPLITUDE * np.sin(2 * np.pi * np.array(_TONES)[:, None] * at)
    high, low, turn = (tones[group] for group in _GROUPS)

    def at_place(place: int) -> list[bytes]:
        values = [high[byte >> 4] + low[byte & 15] + turn[place] for byte in range(256)]
        return [np.rint(value).astype("<i2").tobytes() for value in values]

    return at_place(0), at_place(1)
