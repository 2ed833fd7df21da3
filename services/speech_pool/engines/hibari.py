"""hibari: a small English voice, some fifty times faster than real time on one core.

The only module that imports hibari. Only voices inside the installed wheel are offered: the
package would download the others at run time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from speech_pool.engines.assets import INSTALL_HINT, asset
from speech_pool.engines.pcm import Samples
from speech_pool.engines.pronunciation import written_out
from speech_pool.ports import ProviderUnavailable

_SEED = 0
"""Fixes the noise part of the voice: the same text gives the same audio, which can be cached."""


class HibariModel:
    """The weights of each voice, shared by all streams; thread-safe once loaded."""

    name = "hibari"

    def __init__(self, voices: Mapping[str, Any], sample_rate_hertz: int) -> None:
        """`voices`: a `hibari.Hibari` for each name; the first is the default."""
        self._voices = voices
        self.voices = tuple(voices)
        self.sample_rate_hertz = sample_rate_hertz

    @classmethod
    def load(cls) -> HibariModel:
        """Load from the installed wheel. Raises ProviderUnavailable where it is not."""
        asset("hibari", "assets", "hibari.onnx")
        try:
            from hibari import SAMPLE_RATE, Hibari
            from hibari.voices import VOICES

            bundled = [name for name, facts in VOICES.items() if facts.get("bundled")]
            model = cls({name: Hibari(voice=name) for name in bundled}, SAMPLE_RATE)
        except (ImportError, OSError) as error:
            raise ProviderUnavailable(f"hibari cannot be loaded: {INSTALL_HINT}") from error
        for voice in model.voices:
            model.render("Hello.", voice, 1.0)  # its dictionaries load with the first words
        return model

    def render(self, phrase: str, voice: str, speed: float) -> Samples:
        """Say `phrase`."""
        audio = self._voices[voice](written_out(phrase), speed=speed, seed=_SEED)
        return np.asarray(audio, np.float32)

    def close(self) -> None:
        """Nothing to let go of beyond the memory."""
