"""What a trouble with the service is to callers and to the pool. No message quotes the service."""

from __future__ import annotations

from speech_pool.engines.azure.signals import Trouble
from speech_pool.ports import ProviderError, VoiceNotFound
from warmpool.errors import OpenThrottled

_SENTENCES = {
    Trouble.REFUSED: "the Speech service refused the key or token: check AZURE_SPEECH_KEY and that"
    " it belongs to this region or endpoint",
    Trouble.THROTTLED: "the Speech service throttles this resource",
    Trouble.UNKNOWN_VOICE: "the Speech service does not know this voice",
    Trouble.LOST: "the connection to the Speech service was lost",
    Trouble.FAILED: "the Speech service failed",
}


class Refused(ProviderError):
    """The key or token is not accepted; trying again does not help."""


def in_use(trouble: Trouble) -> ProviderError | VoiceNotFound:
    """The error of a stream that met `trouble`."""
    if trouble is Trouble.UNKNOWN_VOICE:
        return VoiceNotFound(_SENTENCES[trouble])
    kind = Refused if trouble is Trouble.REFUSED else ProviderError
    return kind(_SENTENCES[trouble])


def while_opening(trouble: Trouble, throttle_seconds: float) -> Exception:
    """The error of a client that met `trouble` before its first use."""
    if trouble is Trouble.THROTTLED:
        return OpenThrottled(_SENTENCES[trouble], retry_after_seconds=throttle_seconds)
    return in_use(trouble)
