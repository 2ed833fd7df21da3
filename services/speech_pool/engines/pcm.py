"""16-bit PCM bytes, as the ports carry them, to and from the floats that models take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Mono audio, -1 to 1."""

SAMPLE_BYTES = 2


def to_samples(pcm: bytes) -> Samples:
    """Little-endian 16-bit PCM as floats. Raises ValueError for half a sample."""
    check_whole(pcm)
    return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32768)


def to_pcm(samples: Samples) -> bytes:
    """Floats as little-endian 16-bit PCM; what is louder than full scale is clipped."""
    scaled = np.rint(samples * np.float32(32767))
    return bytes(np.clip(scaled, -32768, 32767).astype("<i2"))


def check_whole(pcm: bytes) -> None:
    """Raise ValueError unless `pcm` is whole samples."""
    if len(pcm) % SAMPLE_BYTES:
        raise ValueError(
            f"audio must be whole 16-bit samples, got {len(pcm)} bytes: send an even number"
        )
