"""A private CA for tests: certificates that name services, in files as a Secret holds them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from meshkit.authorization import name_of
from meshkit.settings import MeshSettings
from meshkit.tls import Files

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes
    serial: int


class PrivateCA:
    """Signs certificates for a day, beginning an hour ago."""

    def __init__(self, name: str = "mesh") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(f"{name} CA")
        built = _builder(self._name, self._name, self._key.public_key(), _now(), _now() + DAY)
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        signed = built.add_extension(constraints, critical=True).sign(self._key, hashes.SHA256())
        self.pem = signed.public_bytes(Encoding.PEM)

    def issue(
        self,
        *names: str,
        begins: datetime | None = None,
        ends: datetime | None = None,
        common_name: str = "",
    ) -> Issued:
        """A certificate with these DNS names or addresses; none: without alternative names."""
        key = ec.generate_private_key(ec.SECP256R1())
        begins, ends = begins or _now(), ends or _now() + DAY
        subject = _named(common_name or "test")
        built = _builder(subject, self._name, key.public_key(), begins, ends)
        if names:
            found = x509.SubjectAlternativeName([_alternative(name) for name in names])
            built = built.add_extension(found, critical=False)
        signed = built.sign(self._key, hashes.SHA256())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Issued(signed.public_bytes(Encoding.PEM), private, signed.serial_number)

    def write(self, folder: Path, issued: Issued) -> Files:
        """Put it and the CA into a folder, over what is there, as the files of one pod."""
        folder.mkdir(parents=True, exist_ok=True)
        where = Files(str(folder / "tls.crt"), str(folder / "tls.key"), str(folder / "ca.crt"))
        Path(where.certificate).write_bytes(issued.certificate)
        Path(where.key).write_bytes(issued.key)
        Path(where.ca).write_bytes(self.pem)
        return where

    def files_for(self, folder: Path, service: str) -> Files:
        """A new certificate of a service, in a folder."""
        return self.write(folder, self.issue(name_of(service)))


def identity_settings(files: Files, **more: object) -> MeshSettings:
    """The settings of a process with these files."""
    return MeshSettings(
        tls_certificate=files.certificate,
        tls_key=files.key,
        tls_ca=files.ca,
        **more,  # type: ignore[arg-type]
    )


def serial_of(pem: bytes) -> int:
    """The serial number of a certificate in PEM."""
    return x509.load_pem_x509_certificate(pem).serial_number


def _now() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    begins: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
