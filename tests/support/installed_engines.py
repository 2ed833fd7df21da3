"""Local engines as far as this machine has them."""

from __future__ import annotations

import pytest

from speech_pool.engines.local import LocalProvider, LocalSettings
from speech_pool.ports import ProviderUnavailable


async def loaded(settings: LocalSettings) -> LocalProvider:
    """The provider, loaded. Skips the test, with what to install, where an engine is missing."""
    provider = LocalProvider(settings)
    try:
        await provider.load()
    except ProviderUnavailable as error:
        pytest.skip(str(error))
    return provider
