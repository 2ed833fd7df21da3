"""Local engines as far as this machine has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from speech_pool.engines.azure.provider import AzureProvider
from speech_pool.engines.azure.settings import AzureSettings
from speech_pool.engines.local import LocalProvider, LocalSettings
from speech_pool.ports import ProviderUnavailable
from tests.support.speech_emulator import KEY, SpeechEmulator


async def loaded(settings: LocalSettings) -> LocalProvider:
    """The provider, loaded. Skips the test, with what to install, where an engine is missing."""
    provider = LocalProvider(settings)
    try:
        await provider.load()
    except ProviderUnavailable as error:
        pytest.skip(str(error))
    return provider


@asynccontextmanager
async def azure(**settings: Any) -> AsyncIterator[tuple[AzureProvider, SpeechEmulator]]:
    """The Azure adapter, loaded, with the real SDK before an emulated service. Skips the test
    where the SDK is not installed."""
    async with SpeechEmulator() as emulator:
        given = {"key": KEY, "endpoint": emulator.endpoint} | settings
        provider = AzureProvider(AzureSettings(**given))
        try:
            await provider.load()
        except ProviderUnavailable as error:
            pytest.skip(str(error))
        try:
            yield provider, emulator
        finally:
            await provider.aclose()
