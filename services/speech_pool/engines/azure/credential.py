"""The pod's Entra identity. The only module of the adapter that imports azure-identity."""

from __future__ import annotations

import asyncio
from typing import Any

from speech_pool.ports import ProviderUnavailable

SCOPE = "https://cognitiveservices.azure.com/.default"


async def pod_identity(seconds: float) -> Any:
    """A credential that has given a token. The SDK asks it again, on its own threads.

    Raises ProviderUnavailable with one sentence that says what is missing.
    """
    try:
        from azure.identity import DefaultAzureCredential
    except ImportError:
        raise ProviderUnavailable(
            "without AZURE_SPEECH_KEY azure-identity is needed: install voicemesh[azure]"
        ) from None
    credential = DefaultAzureCredential()
    try:
        async with asyncio.timeout(seconds):
            await asyncio.to_thread(credential.get_token, SCOPE)
    except Exception as error:
        raise ProviderUnavailable(
            "this pod has no Entra identity that gives a token for Azure speech"
            f" ({type(error).__name__}): set AZURE_SPEECH_KEY or federate its service account"
        ) from None
    return credential
