"""What the speech-pool is told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr, model_validator

from meshkit.settings import LIVE, MeshSettings, Port, Target

Quota = Annotated[str, Field(pattern=r"^(quotas/[A-Za-z0-9][A-Za-z0-9._~-]{0,127})?$")]
"""`quotas/{quota}`, or nothing."""


class SpeechPoolSettings(MeshSettings):
    """Settings of a speech-pool pod; sizes are clients of this pod."""

    grpc_port: Port = Field(50051, description="Port of the gRPC server.")
    speech_provider: str = Field(
        "",
        description="Engine: local, azure, or module:attribute of a SpeechProvider class; empty:"
        " as the profile says.",
    )
    azure_speech_key: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices(
            "AZURE_SPEECH_KEY", "VOICEMESH_AZURE_SPEECH_KEY", "azure_speech_key"
        ),
        description="Key of the Speech resource; empty: an Entra token of the pod's identity.",
    )
    azure_speech_region: str = Field(
        "",
        pattern=r"^[a-z0-9]*$",
        validation_alias=AliasChoices(
            "AZURE_SPEECH_REGION", "VOICEMESH_AZURE_SPEECH_REGION", "azure_speech_region"
        ),
        description="Region of the Speech resource, such as westeurope, where no endpoint is set.",
    )
    azure_speech_endpoint: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        validation_alias=AliasChoices(
            "AZURE_SPEECH_ENDPOINT", "VOICEMESH_AZURE_SPEECH_ENDPOINT", "azure_speech_endpoint"
        ),
        description="Own address of the Speech resource, such as"
        " https://mine.cognitiveservices.azure.com; needed for Entra and private endpoints.",
    )
    azure_speech_languages: tuple[str, ...] = Field(
        ("en-US",),
        min_length=1,
        max_length=10,
        description="Languages Azure listens for where a stream names none, as a JSON list.",
    )
    azure_speech_voice: str = Field(
        "en-US-AvaMultilingualNeural",
        min_length=1,
        description="Azure voice that speaks where none is named.",
    )
    azure_speech_max_threads: int = Field(
        400, ge=5, le=10_000, description="Native threads that the Azure SDK may have in this pod."
    )
    recognizer_engine: Literal["auto", "moonshine", "whisper", "pocketsphinx"] = Field(
        "auto", description="What the local provider hears with; auto: the first installed."
    )
    synthesizer_engine: Literal["auto", "hibari", "piper", "espeak"] = Field(
        "auto", description="What the local provider speaks with; auto: the first installed."
    )
    engine_threads: int = Field(
        2, ge=1, le=64, description="Threads for the local provider's models; its share of cores."
    )
    endpointing_silence_seconds: float = Field(
        0.5,
        ge=0.1,
        le=10,
        description="Silence that ends an utterance for the local provider, unless a stream says.",
    )
    recognizer_warm: int = Field(
        2,
        ge=0,
        le=1000,
        description="Recognisers kept warm ahead of demand.",
        json_schema_extra=LIVE,
    )
    recognizer_max: int = Field(16, ge=1, le=1000, description="Most recognisers, leased and idle.")
    synthesizer_warm: int = Field(
        3,
        ge=0,
        le=1000,
        description="Synthesisers kept warm ahead of demand.",
        json_schema_extra=LIVE,
    )
    synthesizer_max: int = Field(
        16, ge=1, le=1000, description="Most synthesisers, leased and idle."
    )
    pool_max_waiting: int = Field(
        32, ge=0, le=10_000, description="Allocations that may wait for a client, per kind."
    )
    pool_check_bypass_seconds: float = Field(
        0.0,
        ge=0,
        le=15,
        description="A client verified this recently is handed out unchecked; 0: each is checked.",
    )
    pool_max_age_seconds: float = Field(
        1800.0, ge=10, le=86_400, description="Age at which an idle client is replaced."
    )
    pool_max_idle_seconds: float = Field(
        300.0,
        ge=10,
        le=86_400,
        description="Idle time after which a client is replaced; keep it below the provider's own.",
    )
    lease_seconds: float = Field(
        30.0, ge=1, le=600, description="Time to live of a lease that names none and has no stream."
    )

    session_store_target: Target = Field(
        "static:127.0.0.1:50054", description="Where the session-store is; asked for quotas only."
    )
    recognizer_quota: Quota = Field(
        "", description="Quota that each leased recogniser counts against; empty: none."
    )
    synthesizer_quota: Quota = Field(
        "", description="Quota that each leased synthesiser counts against; empty: none."
    )

    @property
    def quota_names(self) -> dict[str, str]:
        """Pool's name to quota, for the pools that have one."""
        names = {"recognizer": self.recognizer_quota, "synthesizer": self.synthesizer_quota}
        return {pool: quota for pool, quota in names.items() if quota}

    @model_validator(mode="after")
    def _warm_within_max(self) -> SpeechPoolSettings:
        for kind in ("recognizer", "synthesizer"):
            warm, most = getattr(self, f"{kind}_warm"), getattr(self, f"{kind}_max")
            if warm > most:
                raise ValueError(f"{kind}_warm ({warm}) is more than {kind}_max ({most})")
        return self
