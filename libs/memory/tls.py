"""TLS to Redis: whom we trust, who we say we are, and what a failed handshake means.

    client = open_client("rediss://host:6380/0", tls=RedisTLS(ca="ca.pem"), ...)

All connections of a client share one context, because making one reads all the machine's CAs. It is
made anew when its files have changed, so that certificates rotate without a restart: new connections
get the new files, those that are open go on.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from redis.asyncio.connection import RedisSSLContext

from meshkit.logging import get_logger

logger = get_logger("memory.tls")


class RedisTLSRefused(Exception):
    """The files cannot serve. The message is one sentence: which, why, what to do."""


@dataclass(frozen=True, slots=True)
class RedisTLS:
    """Files in PEM, and the name that certificates are checked for."""

    ca: str = ""
    """Of the CAs that are trusted, and no other; empty: those of the machine."""
    certificate: str = ""
    """Ours, for servers that ask their clients for one."""
    key: str = ""
    """Of that certificate, without a password."""
    name: str = ""
    """Empty: the host that is dialled, which in a cluster is each node by its own address."""

    @classmethod
    def told(cls, settings: Mapping[str, Any]) -> Self:
        """Of the settings `redis_tls_ca`, `_certificate`, `_key` and `_name`; absent is empty."""
        return cls(*(settings.get(f"redis_tls_{part}", "") for part in cls.__slots__))


class FollowedContext(RedisSSLContext):
    """The context as the files have it now. Raises RedisTLSRefused if they cannot serve at first.

    Later it keeps what it has while they cannot, with a warning: a rotation is several writes.
    """

    def __init__(self, tls: RedisTLS) -> None:
        super().__init__(tls.key, tls.certificate, "required", ca_certs=tls.ca, check_hostname=True)
        self._tls = tls
        self._seen = _stamps(tls)
        self._current = _context(tls)

    def get(self) -> ssl.SSLContext:
        """For one new connection. Looks at the files, and reads them if they changed."""
        seen = _stamps(self._tls)
        if seen != self._seen:
            self._seen = seen
            try:
                self._current = _context(self._tls)
                logger.info("certificates of redis read again")
            except RedisTLSRefused as error:
                logger.warning("certificates of redis not taken", extra={"why": str(error)})
        return self._current


_REFUSED = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "UNKNOWN_CA", "BAD_CERT", "CERTIFICATE_E")
_OURS = (
    "if it asks its clients for a certificate, name one that it trusts in"
    " VOICEMESH_REDIS_TLS_CERTIFICATE and VOICEMESH_REDIS_TLS_KEY"
)


def explained(error: BaseException) -> str:
    """What a failure of a connection over TLS means and what to do; empty: nothing is known."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(cause)
        if isinstance(cause, ssl.SSLError):
            return _failed(str(cause))
        if isinstance(cause, ConnectionResetError):  # an alert that was lost, or a server that went
            return f"it cut the connection; {_OURS}"
        if isinstance(cause, TimeoutError):
            return "it did not answer in time; see that it is up and speaks TLS on this port"
    return ""


def _untrusted(error: ssl.SSLCertVerificationError) -> str:
    said = error.verify_message.rstrip(".")
    if "mismatch" in said or "not valid for" in said:  # as OpenSSL names a wrong host or address
        return (
            f"its certificate is another host's: {said}; dial it by a name in its certificate, or"
            " say which to expect in VOICEMESH_REDIS_TLS_NAME"
        )
    return (
        f"its certificate is not trusted: {said}; name the CA that signed it in"
        " VOICEMESH_REDIS_TLS_CA (`ssl_ca_certs` of AzureRedisManager)"
    )


def _failed(said: str) -> str:
    if "WRONG_VERSION_NUMBER" in said:
        return "it does not speak TLS on this port; write redis:// or name its TLS port"
    if any(alert in said for alert in _REFUSED):
        return f"it refused us ({said}); {_OURS}"
    return f"TLS failed: {said}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came of; redis-py wraps, sometimes twice."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _stamps(tls: RedisTLS) -> tuple[tuple[int, int, int] | None, ...]:
    """What changes when a file is written, or what it links to, as in a mounted Secret."""
    return tuple(_stamp(path) for path in (tls.ca, tls.certificate, tls.key))


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = Path(path).stat() if path else None
    except OSError:
        return None
    return found and (found.st_mtime_ns, found.st_ino, found.st_size)


def _context(tls: RedisTLS) -> ssl.SSLContext:
    if tls.key and not tls.certificate:
        raise RedisTLSRefused("a key for Redis is named and no certificate: name both or neither.")
    try:
        context = ssl.create_default_context(cafile=tls.ca or None)
    except (OSError, ValueError) as error:
        raise RedisTLSRefused(_unreadable("CA", tls.ca, error)) from None
    if tls.certificate:
        try:
            context.load_cert_chain(tls.certificate, tls.key or None, password=_no_password)
        except (OSError, ValueError) as error:
            raise RedisTLSRefused(_unreadable("certificate", tls.certificate, error)) from None
    return context


def _no_password() -> str:
    """Asked for by OpenSSL, which would otherwise wait for one at the terminal."""
    raise ValueError("its key has a password, which nobody here knows")


def _unreadable(what: str, path: str, error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        why = "it, or its key, does not hold what a PEM file should, or they do not fit together"
    else:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"the {what} for Redis at {path} cannot be used: {why}; give a PEM file that can."
