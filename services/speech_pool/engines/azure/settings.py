"""How the Azure adapter is set up. Knows no SDK, so that it can be made and checked without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from speech_pool.ports import ProviderUnavailable

DEFAULT_VOICE = "en-US-AvaMultilingualNeural"
DEFAULT_LANGUAGE = "en-US"


@dataclass(frozen=True, slots=True)
class AzureSettings:
    """One Speech resource and the bounds on its use. Times are seconds."""

    key: str = field(default="", repr=False)
    """Key of the resource. Empty: an Entra token of this pod's identity."""
    region: str = ""
    """Such as `westeurope`; used where there is no endpoint."""
    endpoint: str = ""
    """The resource's own address, such as `https://mine.cognitiveservices.azure.com`; needed with
    an Entra token, with a private endpoint and in sovereign clouds."""
    languages: tuple[str, ...] = (DEFAULT_LANGUAGE,)
    """What streams are heard in that name no language."""
    voice: str = DEFAULT_VOICE
    """Who speaks where no voice is named."""
    voices: tuple[str, ...] = ()
    """Names that are accepted, without a question to the service. Empty: any; the service knows."""
    connect_seconds: float = 5.0
    """Bound on connecting one client."""
    reason_after_seconds: float = 1.0
    """A synthesiser not connected after this is made to ask, as the SDK tells no reason unasked."""
    answer_seconds: float = 5.0
    """Bound on the first audio of an utterance, on audio after audio, and on the last final."""
    unheard_seconds: float = 8.0
    """Sound that may be sent without any sign from the service before the socket counts as dead."""
    throttle_seconds: float = 2.0
    """Pause after the service throttled; the SDK does not pass on what the service asks for."""
    max_threads: int = 400
    """Native threads that the SDK may have; each client counts with what it was measured to need."""

    def __post_init__(self) -> None:
        for name in ("connect_seconds", "reason_after_seconds", "answer_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not self.languages:
            raise ValueError("languages must name at least one, such as en-US")

    @property
    def address(self) -> str:
        """Where the service is.

        Raises ProviderUnavailable with one sentence that says what is missing.
        """
        if self.endpoint:
            if urlsplit(self.endpoint).scheme not in ("https", "http"):
                raise ProviderUnavailable(
                    "AZURE_SPEECH_ENDPOINT must be an address such as"
                    " https://mine.cognitiveservices.azure.com"
                )
            return self.endpoint
        if not self.region:
            raise ProviderUnavailable(
                "Azure speech needs AZURE_SPEECH_ENDPOINT, or AZURE_SPEECH_KEY with"
                " AZURE_SPEECH_REGION"
            )
        if not self.key:
            raise ProviderUnavailable(
                "without AZURE_SPEECH_KEY the pod's Entra identity is used, which needs"
                " AZURE_SPEECH_ENDPOINT: the resource's own domain, not its region"
            )
        # The regional form of the address that takes keys, for both directions (Microsoft's
        # speech quickstarts): languages then ride in the messages, not in the address.
        return f"https://{self.region}.api.cognitive.microsoft.com"
