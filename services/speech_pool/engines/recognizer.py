"""The pooled client that hears, over any hearing model."""

from __future__ import annotations

from collections.abc import Callable

from speech_pool.engines.clients import LocalClient
from speech_pool.engines.ear import Ear, SpeechDetector
from speech_pool.engines.endpointing import Endpointing
from speech_pool.engines.models import HearingModel
from speech_pool.engines.recognition import SegmentedRecognition
from speech_pool.engines.workers import Workers
from speech_pool.ports import RecognitionOptions

SAMPLE_RATES_HERTZ = (8_000, 16_000, 24_000)


class SegmentedRecognizer(LocalClient):
    """Voice activity tells utterances apart, the model turns each into words."""

    def __init__(
        self,
        model: HearingModel,
        new_detector: Callable[[], SpeechDetector],
        workers: Workers,
        endpointing: Endpointing,
    ) -> None:
        super().__init__()
        self._model = model
        self._new_detector = new_detector
        self._workers = workers
        self._endpointing = endpointing
        self._stream: SegmentedRecognition | None = None

    def start(self, options: RecognitionOptions) -> SegmentedRecognition:
        """Begin a stream, on the running event loop.

        Raises ValueError for a sample rate, language or silence that cannot be served, RuntimeError
        while another stream is open.
        """
        self.check_open()
        if self._stream is not None and self._stream.is_open:
            raise RuntimeError("this client hears a stream already: it serves one at a time")
        self._check(options)
        ear = Ear(options.sample_rate_hertz, self._new_detector(), self._endpointing)
        self._stream = SegmentedRecognition(options, ear, self._model, self._workers)
        return self._stream

    async def reset(self) -> None:
        """End a stream that is still open and forget it."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.aclose()

    def _check(self, options: RecognitionOptions) -> None:
        if options.sample_rate_hertz not in SAMPLE_RATES_HERTZ:
            raise ValueError(
                f"sample rate must be one of {SAMPLE_RATES_HERTZ}, got {options.sample_rate_hertz}"
            )
        language = self._model.language_code.split("-")[0]
        asked = options.language_codes
        if asked and not any(code.split("-")[0].lower() == language for code in asked):
            raise ValueError(
                f"{self._model.name} hears {self._model.language_code} only,"
                f" asked for {', '.join(asked)}"
            )
