"""Choosing the engine. The only place that knows which there are."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from meshkit.startup import StartupError
from speech_pool.ports import SpeechProvider
from speech_pool.settings import SpeechPoolSettings


def make_provider(settings: SpeechPoolSettings) -> SpeechProvider:
    """The provider that the settings name. Raises StartupError."""
    name = settings.speech_provider or settings.profile
    if name == "local":
        return _local(settings)
    if name == "azure":
        return _azure(settings)
    if ":" in name:
        return _by_path(name)()
    raise StartupError(
        f"setting VOICEMESH_SPEECH_PROVIDER names {name!r}, which this version does not have;"
        " use local, azure, or module:attribute of a SpeechProvider."
    )


def _local(settings: SpeechPoolSettings) -> SpeechProvider:
    # Imported here: the images of other profiles do not carry what the engines need.
    from speech_pool.engines.endpointing import Endpointing
    from speech_pool.engines.local import LocalProvider, LocalSettings

    return LocalProvider(
        LocalSettings(
            recognizer_engine=settings.recognizer_engine,
            synthesizer_engine=settings.synthesizer_engine,
            worker_threads=settings.engine_threads,
            endpointing=Endpointing(silence_seconds=settings.endpointing_silence_seconds),
        )
    )


def _azure(settings: SpeechPoolSettings) -> SpeechProvider:
    # Imported here, as are the others; the SDK itself is imported when the provider is loaded.
    from speech_pool.engines.azure.provider import AzureProvider
    from speech_pool.engines.azure.settings import AzureSettings

    return AzureProvider(
        AzureSettings(
            key=settings.azure_speech_key.get_secret_value(),
            region=settings.azure_speech_region,
            endpoint=settings.azure_speech_endpoint,
            languages=settings.azure_speech_languages,
            voice=settings.azure_speech_voice,
            max_threads=settings.azure_speech_max_threads,
        )
    )


def _by_path(path: str) -> Callable[[], SpeechProvider]:
    module, _, attribute = path.partition(":")
    try:
        made: Callable[[], SpeechProvider] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise StartupError(
            f"setting VOICEMESH_SPEECH_PROVIDER names {path!r}, which cannot be loaded: {error}."
        ) from None
    return made
