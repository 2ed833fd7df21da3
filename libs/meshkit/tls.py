"""Certificates of this process: read, checked, watched, and made into gRPC credentials.

    certificates = Certificates("gateway", Files(certificate, key, ca))   # CertificateRefused
    certificates.channel_credentials(), certificates.channel_options("speech-pool")
    await certificates.watch()                                            # until cancelled

A certificate names its service (`gateway.voicemesh`), and callers check that name whatever the
address. When the files change, servers hand the new certificate to new connections by themselves;
channels cannot change theirs, so whoever holds channels dials again (`on_change`). Files that do not
fit together are passed over with a warning until they do: a rotation is several writes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import grpc

from meshkit.authorization import name_of
from meshkit.clock import Clock, SystemClock
from meshkit.logging import get_logger

logger = get_logger("meshkit.tls")

MAX_FILE_BYTES = 1 << 20
"""No certificate bundle is larger; a larger file is something else."""
ENDING_SHARE = 0.1
"""A certificate with less than this share of its life left should have been rotated already."""


class CertificateRefused(Exception):
    """The files cannot serve. The message is one sentence: which, why, what to do."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where the three PEM files are."""

    certificate: str
    key: str
    ca: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """What the files held, checked."""

    certificate: bytes
    key: bytes = field(repr=False)
    ca: bytes
    serial: int
    """The certificate's serial number, for logs."""
    not_before: datetime
    not_after: datetime


def read_bundle(files: Files, service: str, now: datetime) -> Bundle:
    """The files, if they can serve `service` at `now`. Raises CertificateRefused."""
    read = (
        _read("VOICEMESH_TLS_CERTIFICATE", files.certificate),
        _read("VOICEMESH_TLS_KEY", files.key),
        _read("VOICEMESH_TLS_CA", files.ca),
    )
    return _checked(files, service, now, *read)


def _read(setting: str, path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise CertificateRefused(
            f"{setting} names {path}, which cannot be read: {error.strerror}."
        ) from None
    if len(content) > MAX_FILE_BYTES:
        raise CertificateRefused(f"{setting} names {path}, which is too large to be a PEM file.")
    return content


def _checked(
    files: Files, service: str, now: datetime, certificate: bytes, key: bytes, ca: bytes
) -> Bundle:
    # Imported here: it takes megabytes that a process without certificates can do without.
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    with _parsing("VOICEMESH_TLS_CERTIFICATE", files.certificate, "a PEM certificate"):
        leaf = x509.load_pem_x509_certificates(certificate)[0]
    with _parsing("VOICEMESH_TLS_CA", files.ca, "PEM certificates"):
        x509.load_pem_x509_certificates(ca)
    with _parsing("VOICEMESH_TLS_KEY", files.key, "a PEM private key without a password"):
        private = load_pem_private_key(key, password=None)
    if private.public_key() != leaf.public_key():
        raise CertificateRefused(
            f"the key in {files.key} is not the one of the certificate in {files.certificate}:"
            " issue both together."
        )
    _check_dates(files.certificate, leaf.not_valid_before_utc, leaf.not_valid_after_utc, now)
    _check_name(files.certificate, service, _dns_names(leaf))
    return Bundle(
        certificate,
        key,
        ca,
        leaf.serial_number,
        leaf.not_valid_before_utc,
        leaf.not_valid_after_utc,
    )


@contextlib.contextmanager
def _parsing(setting: str, path: str, what: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError):  # cryptography says TypeError of a key with a password
        raise CertificateRefused(f"{setting} names {path}, which does not hold {what}.") from None


def _dns_names(leaf: object) -> list[str]:
    from cryptography import x509

    assert isinstance(leaf, x509.Certificate)
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return found.value.get_values_for_type(x509.DNSName)


def _check_dates(path: str, begins: datetime, ends: datetime, now: datetime) -> None:
    if now < begins:
        raise CertificateRefused(
            f"the certificate in {path} is not valid before {begins:%Y-%m-%d %H:%M} UTC: check the"
            " clock of this machine, or issue another."
        )
    if now >= ends:
        raise CertificateRefused(
            f"the certificate in {path} expired at {ends:%Y-%m-%d %H:%M} UTC: issue another."
        )


def _check_name(path: str, service: str, names: list[str]) -> None:
    wanted = name_of(service)
    if wanted not in names:
        raise CertificateRefused(
            f"the certificate in {path} is for {', '.join(names) or 'no DNS name'}, and callers of"
            f" {service} check for {wanted}: issue one with that DNS name among its subject"
            " alternative names."
        )


class Certificates:
    """The certificate of `service` in this process, as the files have it now.

    Raises CertificateRefused if they cannot serve. `interval` seconds lie between two looks at them.
    """

    def __init__(
        self,
        service: str,
        files: Files,
        *,
        interval: float = 10.0,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._service, self._files, self._interval = service, files, interval
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._listeners: list[Callable[[], None]] = []
        self._refused = ""
        self._told_ending: int | None = None
        self.current = read_bundle(files, service, self._clock.now())

    async def watch(self) -> None:
        """Look for changes until cancelled."""
        while True:
            await self._sleep(self._interval)
            try:
                await self.look()
            except Exception:
                # Whoever stops looking misses each rotation, and then the end of the certificate.
                logger.exception("certificates not looked at")

    async def look(self) -> None:
        """Take over what the files hold now, if it changed and can serve."""
        try:
            found = await asyncio.to_thread(
                read_bundle, self._files, self._service, self._clock.now()
            )
        except CertificateRefused as error:
            if str(error) != self._refused:
                logger.warning("certificate not taken", extra={"why": str(error)})
            self._refused = str(error)
        else:
            self._refused = ""
            if found != self.current:
                self._change(found)
        self._warn_of_end()

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call this after each change; what is returned ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def server_credentials(self) -> grpc.ServerCredentials:
        """Mutual TLS for one server; a new connection gets the certificate of that moment."""
        offered = self.current

        def changed() -> grpc.ServerCertificateConfiguration | None:
            """Called by gRPC, on a thread of its own, for each new connection."""
            nonlocal offered
            if self.current is offered:
                return None
            offered = self.current
            return _configuration(offered)

        return grpc.dynamic_ssl_server_credentials(
            _configuration(offered),
            changed,  # type: ignore[arg-type]  # gRPC's own documentation allows None
            require_client_authentication=True,
        )

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Mutual TLS for a channel that is dialled now."""
        bundle = self.current
        return grpc.ssl_channel_credentials(bundle.ca, bundle.key, bundle.certificate)

    @staticmethod
    def channel_options(callee: str) -> list[tuple[str, str]]:
        """What makes a channel check the callee's name in place of its address."""
        return [("grpc.ssl_target_name_override", name_of(callee))]

    def _change(self, found: Bundle) -> None:
        self.current = found
        logger.info(
            "certificate rotated",
            extra={"serial": f"{found.serial:x}", "until": found.not_after.isoformat()},
        )
        for listener in tuple(self._listeners):
            listener()

    def _warn_of_end(self) -> None:
        bundle = self.current
        left = bundle.not_after - self._clock.now()
        ending = left < (bundle.not_after - bundle.not_before) * ENDING_SHARE
        if ending and self._told_ending != bundle.serial:
            self._told_ending = bundle.serial
            logger.warning(
                "certificate ends soon and was not rotated",
                extra={"until": bundle.not_after.isoformat()},
            )


def _configuration(bundle: Bundle) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(bundle.key, bundle.certificate)], root_certificates=bundle.ca
    )
