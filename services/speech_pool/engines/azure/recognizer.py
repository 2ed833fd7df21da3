"""The pooled client that hears: a fresh recogniser, already connected, for one stream.

A used one is never handed on: the SDK replays into the next stream what the last caller's left.
"""

from __future__ import annotations

from speech_pool.engines.azure.clients import AzureClient
from speech_pool.engines.azure.recognition import AzureRecognition
from speech_pool.engines.azure.sdk import RecognizerSession
from speech_pool.engines.azure.service import RECOGNIZER_THREADS, SpeechResource, lost
from speech_pool.engines.azure.signals import Signal
from speech_pool.ports import RecognitionOptions

SAMPLE_RATES_HERTZ = (8_000, 16_000, 24_000)
MAX_LANGUAGES = 10
"""Candidates that the service tells apart in one stream (Microsoft's language identification)."""


class AzureRecognizer(AzureClient):
    """Serves one stream."""

    threads = RECOGNIZER_THREADS

    def __init__(self, resource: SpeechResource) -> None:
        super().__init__(resource)
        languages = resource.settings.languages
        self._recognizer = RecognizerSession(resource.config, languages, self._signals.post)
        self._stream: AzureRecognition | None = None

    @property
    def _session(self) -> RecognizerSession:
        return self._recognizer

    @property
    def is_fit(self) -> bool:
        """Whether it is connected and has heard nobody yet."""
        return super().is_fit and self._stream is None

    async def warm(self) -> bool:
        """Connect. Raises OpenThrottled and ProviderError."""
        seconds = self._resource.settings.connect_seconds
        self._recognizer.connect()
        if not await self._link.until_up(seconds):
            raise lost("accept a connection", seconds)
        if self._link.trouble is not None:
            raise self._resource.opening_error(self._link.trouble)
        self._resource.note_opened()
        return True

    def start(self, options: RecognitionOptions) -> AzureRecognition:
        """Begin the stream, on the running event loop.

        Raises ValueError for a sample rate, language or silence that cannot be served, RuntimeError
        for a second stream.
        """
        self.check_open()
        if self._stream is not None:
            raise RuntimeError("this client has its stream already: it serves one, then is closed")
        _check(options)
        self._stream = AzureRecognition(options, self._recognizer, self._resource, self._link)
        return self._stream

    async def reset(self) -> bool:
        """A recogniser cannot be made as new."""
        return False

    async def aclose(self) -> None:
        """End the stream, close the socket."""
        if self._stream is not None:
            await self._stream.aclose()
        await super().aclose()

    def _hear(self, signal: Signal) -> None:
        if self._stream is not None:
            self._stream.take(signal)


def _check(options: RecognitionOptions) -> None:
    if options.sample_rate_hertz not in SAMPLE_RATES_HERTZ:
        raise ValueError(
            f"sample rate must be one of {SAMPLE_RATES_HERTZ}, got {options.sample_rate_hertz}"
        )
    if len(options.language_codes) > MAX_LANGUAGES:
        raise ValueError(
            f"at most {MAX_LANGUAGES} languages can be told apart, got {len(options.language_codes)}"
        )
