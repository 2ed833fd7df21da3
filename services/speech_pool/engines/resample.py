"""Sample rate conversion by windowed sinc, in a stream, without clicks between blocks.

A rational polyphase filter: output `m` lies at input position `m * M / L`, and each of the `L`
positions between two input samples has its own precomputed taps (Oppenheim and Schafer,
*Discrete-Time Signal Processing*, section 4.6). The filter is centred, so output `m` belongs to
the same moment as its input; that costs a look-ahead of 4 ms or less.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from speech_pool.engines.pcm import Samples

ZERO_CROSSINGS = 32
"""Half width of the filter in zero crossings of the sinc at the lower rate: 4 ms at 8 kHz."""
ROLLOFF = 0.94
"""Cut-off as a part of the lower Nyquist frequency; the rest is the filter's slope."""
KAISER_BETA = 6.0
"""Window shape: about 60 dB of stop-band attenuation, and flat up to 3.5 kHz at 8 kHz."""


@functools.cache
def _taps(up: int, down: int) -> Samples:
    """Filter taps for each of the `up` phases, as rows; each row sums to one.

    A row weighs the input samples `centre - half + 1 .. centre + half`.
    """
    cutoff = ROLLOFF * min(1.0, up / down)
    half = _half_width(up, down)
    around = np.arange(-half + 1, half + 1)
    distance = around[None, :] - np.arange(up)[:, None] / up
    inside = np.clip(1 - (distance / half) ** 2, 0, None)
    rows = np.sinc(cutoff * distance) * np.i0(KAISER_BETA * np.sqrt(inside))
    return np.asarray(rows / rows.sum(axis=1, keepdims=True), dtype=np.float32)


def _half_width(up: int, down: int) -> int:
    return math.ceil(ZERO_CROSSINGS * max(1.0, down / up))


class Resampler:
    """Converts one stream of audio. Not for two streams at once, not thread-safe.

    Equal rates pass through. Any two whole rates will do; those of speech have few phases.
    """

    def __init__(self, from_hertz: int, to_hertz: int) -> None:
        if from_hertz <= 0 or to_hertz <= 0:
            raise ValueError(f"sample rates must be above 0, got {from_hertz} and {to_hertz}")
        divisor = math.gcd(from_hertz, to_hertz)
        self._up, self._down = to_hertz // divisor, from_hertz // divisor
        self._half = _half_width(self._up, self._down)
        self._taken = 0
        self._made = 0
        self._start()

    def _start(self) -> None:
        # Before the first sample there is silence, so that output 0 has its left half.
        self._held = np.zeros(self._half, np.float32)
        self._held_from = -self._half

    def push(self, samples: Samples) -> Samples:
        """Take the next audio; what can be made of it so far."""
        if self._up == self._down:
            return samples
        self._taken += len(samples)
        self._held = np.concatenate([self._held, samples.astype(np.float32, copy=False)])
        # Output m needs input up to floor(m * M / L) + half.
        last = self._taken - 1 - self._half
        ready = (last * self._up + self._up - 1) // self._down + 1 if last >= 0 else 0
        return self._make(ready)

    def flush(self) -> Samples:
        """The rest, as if silence followed. The stream then starts anew."""
        if self._up == self._down:
            return np.zeros(0, np.float32)
        total = -(-self._taken * self._up // self._down)
        self._held = np.concatenate([self._held, np.zeros(self._half, np.float32)])
        rest = self._make(total)
        self._taken = self._made = 0
        self._start()
        return rest

    def _make(self, until: int) -> Samples:
        if until <= self._made:
            return np.zeros(0, np.float32)
        at = np.arange(self._made, until, dtype=np.int64) * self._down
        centre, phase = at // self._up, at % self._up
        first = centre - self._half + 1 - self._held_from
        windows = np.lib.stride_tricks.sliding_window_view(self._held, 2 * self._half)[first]
        made: Samples = np.einsum("ij,ij->i", windows, _taps(self._up, self._down)[phase])
        self._made = until
        self._forget(until * self._down // self._up - self._half)
        return made

    def _forget(self, before: int) -> None:
        spent = max(0, min(before - self._held_from, len(self._held)))
        self._held = self._held[spent:]
        self._held_from += spent


def resample(samples: Samples, from_hertz: int, to_hertz: int) -> Samples:
    """A whole recording at another rate."""
    resampler = Resampler(from_hertz, to_hertz)
    return np.concatenate([resampler.push(samples), resampler.flush()])
