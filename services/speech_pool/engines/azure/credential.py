"""The pod's Entra identity, asked for a token before it is relied on."""

from __future__ import annotations

import asyncio

from meshkit.credentials import ProcessCredential, process_credential
from speech_pool.ports import ProviderUnavailable

SCOPE = "https://cognitiveservices.azure.com/.default"


async def pod_identity(seconds: float) -> ProcessCredential:
    """A credential that has given a token, to be closed. The SDK asks it again, on its own threads.

    Raises ProviderUnavailable with one sentence that says what is missing.
    """
    try:
        credential = process_credential()
    except ImportError:
        raise ProviderUnavailable(
            "without AZURE_SPEECH_KEY azure-identity is needed: install voicemesh[azure]"
        ) from None
    try:
        async with asyncio.timeout(seconds):
            await asyncio.to_thread(credential.get_token, SCOPE)
    except Exception as error:
        credential.close()
        raise ProviderUnavailable(
            "this pod has no Entra identity that gives a token for Azure speech"
            f" ({type(error).__name__}): set AZURE_SPEECH_KEY or federate its service account"
        ) from None
    return credential
