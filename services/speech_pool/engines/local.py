"""The `local` speech provider: one copy of each model in the process, shared by all sessions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from speech_pool.engines.clients import LocalClientFactory
from speech_pool.engines.endpointing import Endpointing
from speech_pool.engines.models import HearingModel, SpeakingModel
from speech_pool.engines.recognizer import SegmentedRecognizer
from speech_pool.engines.selection import AUTO, load_hearing, load_speaking
from speech_pool.engines.silero import SileroModel
from speech_pool.engines.synthesis import PhrasedSynthesizer
from speech_pool.engines.workers import Workers
from speech_pool.ports import ProviderUnavailable, Recognizer, Synthesizer
from warmpool.factory import ClientFactory

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """How the local engines are set up."""

    recognizer_engine: str = AUTO
    """`moonshine`, `whisper`, `pocketsphinx`, or `auto`: the first that is installed."""
    synthesizer_engine: str = AUTO
    """`hibari`, `piper`, `espeak`, or `auto`: the first that is installed."""
    worker_threads: int = 2
    """Threads for all model work; as many as there are cores for it."""
    max_waiting_jobs: int = 1024
    """Model jobs that may wait for a thread; beyond it streams end with an error."""
    endpointing: Endpointing = field(default_factory=Endpointing)
    """Where utterances begin and end, and how often interims come."""


@dataclass(frozen=True, slots=True)
class _Models:
    hearing: HearingModel
    speaking: SpeakingModel
    activity: SileroModel


class LocalProvider:
    """A `SpeechProvider` that needs no network."""

    name = "local"

    def __init__(self, settings: LocalSettings | None = None) -> None:
        """Nothing is loaded yet; clients can be opened after `load`."""
        self.settings = settings or LocalSettings()
        self._workers = Workers(self.settings.worker_threads, self.settings.max_waiting_jobs)
        self._models: _Models | None = None
        self.recognizers: ClientFactory[Recognizer] = LocalClientFactory(self._new_recognizer)
        self.synthesizers: ClientFactory[Synthesizer] = LocalClientFactory(self._new_synthesizer)
        self.voices: Sequence[str] = ()
        """The voices of the loaded engine; the first is the default. Empty before `load`."""

    async def load(self) -> None:
        """Load the models, off the event loop. Idempotent.

        Raises ProviderUnavailable with one sentence that says what is missing and what to do.
        """
        if self._models is None:
            self._models = models = await asyncio.to_thread(_load, self.settings)
            self.voices = models.speaking.voices
            _log.info(
                "speech engines loaded",
                extra={"recognizer": models.hearing.name, "synthesizer": models.speaking.name},
            )

    async def aclose(self) -> None:
        """Stop the workers and let the models go."""
        await self._workers.aclose()
        models, self._models = self._models, None
        if models:
            models.hearing.close()
            models.speaking.close()

    def _loaded(self) -> _Models:
        if self._models is None:
            raise ProviderUnavailable("the local speech engines are not loaded: call load() first")
        return self._models

    def _new_recognizer(self) -> SegmentedRecognizer:
        models = self._loaded()
        return SegmentedRecognizer(
            models.hearing, models.activity.stream, self._workers, self.settings.endpointing
        )

    def _new_synthesizer(self) -> PhrasedSynthesizer:
        return PhrasedSynthesizer(self._loaded().speaking, self._workers)


def _load(settings: LocalSettings) -> _Models:
    return _Models(
        hearing=load_hearing(settings.recognizer_engine),
        speaking=load_speaking(settings.synthesizer_engine),
        activity=SileroModel.load(),
    )
