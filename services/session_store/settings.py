"""What the session-store is told."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from meshkit.settings import LIVE, MeshSettings, Port


class QuotaLimit(BaseModel, frozen=True, extra="forbid"):
    """How much of a quota there is: so many held at once, or so many taken in a window."""

    limit: int = Field(ge=0)
    window_seconds: float | None = Field(None, ge=0.001, le=86_400)


class SessionStoreSettings(MeshSettings):
    """Settings of a session-store pod."""

    grpc_port: Port = Field(50054, description="Port of the gRPC server.")
    redis_url: str = Field(
        "", description="Redis to keep state in: redis:// or rediss://host:port/database."
    )
    redis_cluster: bool = Field(
        False, description="Whether redis_url names a node of a Redis cluster."
    )
    redis_tls_ca: str = Field(
        "",
        description="PEM file with the CAs that sign the certificate of a rediss:// Redis; empty:"
        " those of the machine.",
    )
    redis_tls_certificate: str = Field(
        "", description="PEM file with our certificate, for a Redis that asks for one."
    )
    redis_tls_key: str = Field("", description="PEM file with the private key of that certificate.")
    redis_tls_name: str = Field(
        "",
        description="Name that the certificate of Redis is checked for; empty: the host that is"
        " dialled.",
    )
    redis_entra: bool = Field(
        False,
        description="Whether the pod's Entra identity is shown to Redis, in place of what redis_url"
        " says.",
    )
    redis_max_connections: int = Field(
        64, ge=1, le=1000, description="Most connections to Redis; further requests wait for one."
    )
    store_seconds: float = Field(
        2.0, gt=0, le=30, description="Seconds that one operation on Redis may take, with retries."
    )
    store_durability: Literal["disk", "replica", "memory"] = Field(
        "disk",
        description="When verified records and owner epochs count as kept: fsynced by Redis,"
        " acknowledged by a replica, or at once.",
    )
    session_seconds: float = Field(
        7200.0, ge=1, le=604_800, description="Seconds a session lives after it was last written."
    )
    owner_seconds: float = Field(
        10.0, ge=1, le=600, description="Seconds that owning a call lasts without renewal."
    )
    journal_max_events: int = Field(
        20_000, ge=1, le=1_000_000, description="Most events in the journal of one session."
    )
    claim_seconds: float = Field(
        5.0, ge=1, le=600, description="Seconds that a tool claim lasts without renewal."
    )
    quota_seconds: float = Field(
        60.0, ge=1, le=600, description="Seconds that a holder of quotas has to renew them."
    )
    quotas: dict[str, QuotaLimit] = Field(
        default_factory=dict,
        description="What the fleet shares: quota to limit and, for a rate, window_seconds.",
        json_schema_extra=LIVE,
    )
    archive_path: str = Field(
        "", description="SQLite file that sessions are moved to when they are over; empty: none."
    )
    cosmos_endpoint: str = Field(
        "",
        description="Cosmos DB account that sessions are moved to, such as"
        " https://NAME.documents.azure.com, instead of a file; empty: none.",
    )
    cosmos_key: SecretStr = Field(
        SecretStr(""),
        description="Key of the Cosmos DB account; empty: the identity of the pod is used.",
    )
    cosmos_database: str = Field("voicemesh", description="Database of the archive's container.")
    archive_container: str = Field(
        "sessions",
        description="Container of the archive, partitioned by /tenant and /day, with a default time"
        " to live of -1.",
    )
    cosmos_seconds: float = Field(
        10.0,
        gt=0,
        le=60,
        description="Seconds that one request to Cosmos DB may take, with retries.",
    )
    archive_linger_seconds: float = Field(
        1800.0, ge=0, le=604_800, description="Seconds that an ended session stays in Redis."
    )
    archive_keep_seconds: float = Field(
        604_800.0,
        ge=0,
        le=2_592_000,
        description="Seconds that an expired session waits in Redis for an archive that is away.",
    )
    archive_retention_days: float = Field(
        90.0, gt=0, le=36_500, description="Days that the archive keeps a session."
    )
    archive_redacted: bool = Field(
        True, description="Whether personal data is taken out of what is archived."
    )
    erasure_key: SecretStr = Field(
        SecretStr(""),
        description="Key of the digest by which the record of an erasure names the person; empty: who"
        " has the record can try which person it fits.",
    )

    @property
    def archives(self) -> bool:
        """Whether there is an archive."""
        return bool(self.archive_path or self.cosmos_endpoint)
