"""The `azure` speech provider: one Speech resource, by key or by the pod's Entra identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from meshkit.credentials import ProcessCredential
from speech_pool.engines.azure.clients import AzureClientFactory
from speech_pool.engines.azure.credential import pod_identity
from speech_pool.engines.azure.service import (
    RECOGNIZER_THREADS,
    SYNTHESIZER_THREADS,
    SpeechResource,
)
from speech_pool.engines.azure.settings import AzureSettings
from speech_pool.ports import ProviderUnavailable, Recognizer, Synthesizer
from warmpool.factory import ClientFactory, Reuse


class AzureProvider:
    """A `SpeechProvider`. Needs the extra `azure`; imports the SDK with `load`."""

    name = "azure"

    def __init__(self, settings: AzureSettings, credential: Any = None) -> None:
        """`credential`: of azure-identity; None looks for the pod's own where there is no key."""
        self.settings = settings
        self.voices: Sequence[str] = settings.voices
        self._credential = credential
        self._own: ProcessCredential | None = None
        self._resource: SpeechResource | None = None
        self._recognizers = AzureClientFactory[Recognizer](
            _recognizer, self._loaded, threads=RECOGNIZER_THREADS, reuse=Reuse.RETIRE
        )
        self._synthesizers = AzureClientFactory[Synthesizer](
            _synthesizer, self._loaded, threads=SYNTHESIZER_THREADS, reuse=Reuse.RESET
        )
        self.recognizers: ClientFactory[Recognizer] = self._recognizers
        self.synthesizers: ClientFactory[Synthesizer] = self._synthesizers

    @property
    def sdk_threads(self) -> int:
        """Native threads that the open clients may come to have."""
        return self._resource.threads.reserved if self._resource else 0

    async def load(self) -> None:
        """Import the SDK and find a credential. Idempotent. Connects to nothing but the identity
        endpoint.

        Raises ProviderUnavailable with one sentence that says what is missing and what to do.
        """
        if self._resource is not None:
            return
        _ = self.settings.address
        make_config = _sdk().make_config
        if not self.settings.key and self._credential is None:
            self._credential = self._own = await pod_identity(self.settings.connect_seconds)
        self._resource = SpeechResource(self.settings, make_config(self.settings, self._credential))

    async def aclose(self) -> None:
        """Close what is still open; native threads that outlive the process abort it."""
        await self._recognizers.close_all()
        await self._synthesizers.close_all()
        self._resource = None
        if self._own is not None:
            self._own.close()
            self._credential = self._own = None

    def _loaded(self) -> SpeechResource:
        if self._resource is None:
            raise ProviderUnavailable("the Azure speech provider is not loaded: call load() first")
        return self._resource


def _sdk() -> Any:
    try:
        from speech_pool.engines.azure import sdk
    except ImportError:
        raise ProviderUnavailable(
            "the Azure Speech SDK is not installed: install voicemesh[azure]; it needs glibc,"
            " libssl3 and libuuid1"
        ) from None
    return sdk


def _recognizer(resource: SpeechResource) -> Recognizer:
    from speech_pool.engines.azure.recognizer import AzureRecognizer

    return AzureRecognizer(resource)


def _synthesizer(resource: SpeechResource) -> Synthesizer:
    from speech_pool.engines.azure.synthesizer import AzureSynthesizer

    return AzureSynthesizer(resource)
