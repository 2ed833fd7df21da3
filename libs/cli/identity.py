"""Who the command is towards the mesh: an operator's certificate, or nobody in particular."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click
import grpc

from meshkit.tls import Certificates

F = TypeVar("F", bound=Callable[..., Any])

MAX_ANSWER_BYTES = 8 << 20
_OPTIONS = (
    ("certificate", "PEM file with a certificate that VOICEMESH_CALLERS gives the role operator."),
    ("key", "PEM file with its private key."),
    ("ca", "PEM file with the CAs of the mesh."),
)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate, its key and the CAs of the mesh, as PEM."""

    certificate: bytes
    key: bytes = field(repr=False)
    ca: bytes


def identity_options(*, from_environment: bool) -> Callable[[F], F]:
    """`--tls-certificate`, `--tls-key` and `--tls-ca`, by default perhaps what the service here has."""

    def decorate(command: F) -> F:
        for name, meaning in reversed(_OPTIONS):
            command = click.option(
                f"--tls-{name}",
                envvar=f"VOICEMESH_TLS_{name.upper()}" if from_environment else None,
                default="",
                help=meaning,
            )(command)
        return command

    return decorate


def identity_of(certificate: str, key: str, ca: str) -> Identity | None:
    """What the three files hold; None: none is named. Raises click.UsageError."""
    named = {"certificate": certificate, "key": key, "ca": ca}
    missing = [f"--tls-{name}" for name, path in named.items() if not path]
    if len(missing) == len(named):
        return None
    if missing:
        raise click.UsageError(f"certificate, key and CA go together; give {' and '.join(missing)}")
    return Identity(*(_read(f"--tls-{name}", path) for name, path in named.items()))


def channel_to(service: str, address: str, identity: Identity | None) -> grpc.aio.Channel:
    """A channel to a pod of a service, which with an identity must have that service's certificate."""
    options: list[tuple[str, Any]] = [("grpc.max_receive_message_length", MAX_ANSWER_BYTES)]
    if identity is None:
        return grpc.aio.insecure_channel(address, options=options)
    credentials = grpc.ssl_channel_credentials(identity.ca, identity.key, identity.certificate)
    named = Certificates.channel_options(service)
    return grpc.aio.secure_channel(address, credentials, options=[*options, *named])


def _read(option: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise click.UsageError(f"{option} {path} cannot be read: {error.strerror}") from None
