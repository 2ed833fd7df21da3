"""What a service is told of certificates and callers. `meshkit.identity` says what comes of it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings

from meshkit.authorization import check_parts


def _known(callers: dict[str, list[str]]) -> dict[str, list[str]]:
    for identity, parts in callers.items():
        check_parts(identity, parts)
    return callers


class IdentitySettings(BaseSettings):
    """Certificate, key and CA (all three or none), and who may call beside the mesh."""

    tls_certificate: str = Field(
        "",
        description="PEM file with the certificate of this service, then its intermediates;"
        " empty: connections are not encrypted and callers not known.",
    )
    tls_key: str = Field("", description="PEM file with the private key of that certificate.")
    tls_ca: str = Field(
        "", description="PEM file with the CAs that sign the certificates of the mesh."
    )
    tls_check_seconds: float = Field(
        10.0, gt=0, le=3600, description="Seconds between two looks whether those files changed."
    )
    allow_insecure: bool = Field(
        False,
        description="Whether the azure profile may start without certificates, such as where a"
        " service mesh of the cluster encrypts; every caller is then allowed.",
    )
    require_identity: bool = Field(
        False, description="Whether no profile may start without certificates."
    )
    callers: Annotated[dict[str, list[str]], AfterValidator(_known)] = Field(
        default_factory=dict,
        description="Callers outside the mesh: name in their certificate to the services or roles"
        ' whose calls they may make, such as {"ivr.example.com": ["speech-client"]}.',
    )
    health_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port that answers gRPC health without a certificate, for kubelets; empty:"
        " health is asked on the service's own port only.",
    )

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        files = {n: getattr(self, n) for n in ("tls_certificate", "tls_key", "tls_ca")}
        missing = [f"VOICEMESH_{name.upper()}" for name, path in files.items() if not path]
        if missing and len(missing) < len(files):
            raise ValueError(
                f"certificate, key and CA go together, and {' and '.join(missing)} is not set: set"
                " all three, or none for connections without TLS"
            )
        return self
