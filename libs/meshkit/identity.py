"""Who this process is, and who calls it: certificates for the life of a process, callers checked.

`run_service` holds `identified` around a service. Servers and fleets made within find the
certificates by themselves (`current_certificates`), so that none can be made without them by
forgetting an argument.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from meshkit.authorization import CALLERS, allowed, name_of, parts_of
from meshkit.errors import MeshError, Reason
from meshkit.logging import get_logger
from meshkit.settings import MeshSettings
from meshkit.startup import StartupError
from meshkit.tls import CertificateRefused, Certificates, Files

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]

logger = get_logger("meshkit.identity")

Check = Callable[["Context"], None]
"""Lets a request in, or raises MeshError."""

_current: ContextVar[Certificates | None] = ContextVar("certificates", default=None)

_NAMES_KEY = "x509_subject_alternative_name"
_MAX_ADMITTED = 256
"""Certificates remembered as admitted, a method; past that all are forgotten and asked again."""
_MAX_SHOWN = 200


@asynccontextmanager
async def identified(service: str, settings: MeshSettings) -> AsyncIterator[Certificates | None]:
    """The certificates that the settings name, watched within the block; None: there are none.

    Raises StartupError.
    """
    certificates = certificates_of(service, settings)
    if certificates is None:
        yield None
        return
    token = _current.set(certificates)
    watching = asyncio.create_task(certificates.watch())
    try:
        yield certificates
    finally:
        _current.reset(token)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def current_certificates() -> Certificates | None:
    """Those of the block around us."""
    return _current.get()


def certificates_of(service: str, settings: MeshSettings) -> Certificates | None:
    """The certificates that the settings name. Raises StartupError, also where there must be some."""
    if not settings.tls_certificate:
        _check_insecure(settings)
        return None
    files = Files(settings.tls_certificate, settings.tls_key, settings.tls_ca)
    try:
        return Certificates(service, files, interval=settings.tls_check_seconds)
    except CertificateRefused as error:
        raise StartupError(str(error)) from None


def _check_insecure(settings: MeshSettings) -> None:
    what = "set VOICEMESH_TLS_CERTIFICATE, VOICEMESH_TLS_KEY and VOICEMESH_TLS_CA"
    if settings.require_identity:
        raise StartupError(
            f"VOICEMESH_REQUIRE_IDENTITY is set and there is no certificate: {what}."
        )
    if settings.profile == "azure":
        if not settings.allow_insecure:
            raise StartupError(
                f"the azure profile does not start without a certificate: {what}, or"
                " VOICEMESH_ALLOW_INSECURE to true where the cluster's own mesh encrypts."
            )
        logger.warning("no certificate: connections are not encrypted and every caller is allowed")


class Door:
    """Lets callers of one method in, by their certificates.

    What it costs a request is one look-up by the names that gRPC has at hand already; only the first
    request of a certificate takes the decision itself.
    """

    def __init__(self, method: str, callers: Mapping[str, Iterable[str]]) -> None:
        self._method = method
        self._callers = callers
        self._admitted: set[tuple[bytes, ...]] = set()

    def check(self, context: Context) -> None:
        """Let the request in. Raises MeshError: CALLER_UNKNOWN or CALLER_NOT_ALLOWED."""
        # Without alternative names gRPC would offer the common name, which nobody vouches for.
        names = context.peer_identities() if context.peer_identity_key() == _NAMES_KEY else None
        known = tuple(names or ())
        if known not in self._admitted:
            self._decide(known)

    def _decide(self, raw: tuple[bytes, ...]) -> None:
        names = [name.decode(errors="replace") for name in raw]
        parts = parts_of(names, self._callers)
        if not parts:
            raise self._refusal(Reason.CALLER_UNKNOWN, names, "is nobody that this mesh knows")
        if not allowed(self._method, parts):
            raise self._refusal(Reason.CALLER_NOT_ALLOWED, names, "may not call this method")
        if len(self._admitted) >= _MAX_ADMITTED:
            self._admitted.clear()
        self._admitted.add(raw)

    def _refusal(self, reason: Reason, names: list[str], why: str) -> MeshError:
        caller = ", ".join(names)[:_MAX_SHOWN] or "a certificate without alternative names"
        shown = {"reason": reason.name, "peer": caller, "method": self._method}
        logger.warning("caller refused", extra=shown)
        told = {"caller": caller, "method": self._method}
        return MeshError(reason, f"{caller} {why}", metadata=told)


def door(method: str, callers: Mapping[str, Iterable[str]]) -> Check:
    """The check of a method of a server that knows its callers."""
    if method not in CALLERS:
        logger.error("method lacks a row in the table of callers", extra={"method": method})
    return Door(method, callers).check


__all__ = [
    "Check",
    "Door",
    "certificates_of",
    "current_certificates",
    "door",
    "identified",
    "name_of",
]
