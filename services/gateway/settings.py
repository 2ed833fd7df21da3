"""What the gateway is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import AliasChoices, Field, field_validator

from meshkit.settings import LIVE, MeshSettings, Port, Target

MIN_KEY_LENGTH = 32


class GatewaySettings(MeshSettings):
    """Settings of a gateway pod."""

    http_port: Port = Field(8080, description="Port of the control plane, HTTP.")
    media_port: Port = Field(8081, description="Port of the media WebSocket.")
    speech_pool_target: Target = Field(
        "static:127.0.0.1:50051", description="Where the speech-pool pods are."
    )
    orchestrator_target: Target = Field(
        "static:127.0.0.1:50052", description="Where the orchestrator pods are."
    )
    session_store_target: Target = Field(
        "static:127.0.0.1:50054", description="Where the session-store pods are."
    )
    default_scenario: str = Field(
        "banking", description="Scenario of a call whose URL and ticket name none."
    )
    tenant: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,64}$",
        description="Tenant of a call whose ticket names none; its sessions, archive and cost are told"
        " apart by it. Empty: the deployment has one tenant.",
    )
    media_key: str = Field(
        "",
        description="Secret of at least 32 characters that media tickets are signed with (HS256)."
        " Empty: no ticket is asked for, and only the loopback address may be bound.",
    )
    control_key: str = Field(
        "",
        description="Secret of at least 32 characters that the control plane asks for as a Bearer"
        " token. Empty: none is asked for, and only the loopback address may be bound.",
    )
    streaming_mode: Literal["media", "voice_live"] = Field(
        "media",
        validation_alias=AliasChoices(
            "ACS_STREAMING_MODE", "VOICEMESH_STREAMING_MODE", "streaming_mode"
        ),
        description="How a call's audio is answered: media, by the cascade of recogniser, model and"
        " synthesiser; voice_live, by one speech-to-speech model.",
    )
    max_calls: int = Field(
        100, ge=1, le=10_000, description="Calls at a time on this pod.", json_schema_extra=LIVE
    )
    max_call_seconds: float = Field(
        3600.0, gt=0, le=86_400, description="Seconds after which a call is ended."
    )
    metadata_seconds: float = Field(
        5.0, gt=0, le=60, description="Seconds in which a media socket must send AudioMetadata."
    )
    max_malformed: int = Field(
        50, ge=0, le=10_000, description="Media messages of one socket that may be passed over."
    )
    allocation_seconds: float = Field(
        2.0, gt=0, le=60, description="Seconds that one pod may take to grant a speech client."
    )
    audio_chunk_ms: int = Field(
        20,
        ge=20,
        le=200,
        multiple_of=20,
        description="Caller audio in one message to the recogniser, in milliseconds.",
    )
    playback_lead_frames: int = Field(
        2, ge=1, le=10, description="Frames of 20 ms that agent audio is sent ahead of its playing."
    )
    language_codes: tuple[str, ...] = Field(
        (), description="BCP-47 tags to listen for; empty: as the speech engine is set up."
    )
    barge_in: bool = Field(True, description="Whether the caller may interrupt the agent.")
    barge_in_confirm_seconds: float = Field(
        0.5, gt=0, le=10, description="Seconds of sound that interrupt even without words."
    )
    barge_in_resume_seconds: float = Field(
        0.8, gt=0, le=10, description="Seconds after a shorter sound until the agent goes on."
    )
    dtmf_terminator: str = Field(
        "#", pattern=r"^[0-9*#A-D]$", description="Key that ends what the caller keys in."
    )
    dtmf_timeout_seconds: float = Field(
        3.0, gt=0, le=60, description="Seconds without a key that end what the caller keys in."
    )
    call_owner_seconds: float = Field(
        10.0,
        ge=1,
        le=600,
        description="Seconds that this pod's ownership of a call lasts unrenewed.",
    )

    prices_file: str = Field(
        "",
        description="YAML file of what things cost; empty: the examples that come with us,"
        " which are no provider's checked prices.",
    )
    speech_billing: str = Field(
        "",
        description="Provider of the price table that bills for speech; empty: azure-speech in the"
        " azure profile, else local.",
    )
    line_billing: str = Field(
        "",
        pattern=r"^([^/\s]+/[^/\s]+)?$",
        description="Provider and model of the price table that bill for the line, such as"
        " acs/pstn-out; empty: acs/pstn-in in the azure profile, else local.",
    )
    call_budget: Decimal = Field(
        Decimal(0), ge=0, description="Money of one call at which an alarm is given; 0: none."
    )
    tenant_day_budget: Decimal = Field(
        Decimal(0),
        ge=0,
        description="Money of one tenant in a day on this pod at which an alarm is given; 0: none.",
    )

    @field_validator("streaming_mode")
    @classmethod
    def _available(cls, mode: str) -> str:
        if mode == "voice_live":
            raise ValueError("voice_live is not available yet; set media, or leave it out")
        return mode

    @field_validator("media_key", "control_key")
    @classmethod
    def _long_enough(cls, key: str) -> str:
        if key and len(key) < MIN_KEY_LENGTH:
            raise ValueError(f"must have at least {MIN_KEY_LENGTH} characters, or be empty")
        return key
