"""Who may connect: media tickets, the control key, and which address may be bound without them.

A media ticket is a JWT (HS256, RFC 7519) with `session` (an id, or `*` for any), `scenario`,
`scope` (space-separated, must hold `media.stream`), `exp` and, where a deployment serves several,
`tenant`. It is bound to the call and reusable: ACS dials the same URL again when streaming is
restarted.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from dataclasses import dataclass

import jwt

from meshkit.startup import StartupError

MEDIA_SCOPE = "media.stream"
ANY_SESSION = "*"
_ALGORITHM = "HS256"
_TENANT = re.compile(r"[A-Za-z0-9._-]{0,64}")


class TicketRefused(Exception):
    """The ticket does not let this socket in. The message may be shown to whoever sent it."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a valid ticket allows."""

    session: str
    scenario: str
    tenant: str = ""
    """Whose call it is; empty: the ticket does not say."""


def sign_ticket(key: str, session: str, scenario: str, expires_at: int, tenant: str = "") -> str:
    """A ticket for the `ticket=` of a media URL; `expires_at` in seconds of the Unix epoch."""
    claims = {
        "session": session,
        "scenario": scenario,
        "scope": MEDIA_SCOPE,
        "exp": expires_at,
    }
    if tenant:
        claims["tenant"] = tenant
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def read_ticket(key: str, text: str, session: str, scope: str = MEDIA_SCOPE) -> Ticket:
    """The ticket, if it is good for this session and scope now. Raises TicketRefused."""
    if not text:
        raise TicketRefused("a ticket is required: dial the URL with ?ticket=")
    try:
        claims = jwt.decode(
            text,
            key,
            algorithms=[_ALGORITHM],
            options={"require": ["exp", "session", "scenario", "scope"]},
        )
    except jwt.ExpiredSignatureError:
        raise TicketRefused("the ticket has expired") from None
    except jwt.PyJWTError:
        raise TicketRefused("the ticket is not valid") from None
    if scope not in str(claims["scope"]).split():
        raise TicketRefused(f"the ticket lacks the scope {scope}")
    if claims["session"] not in (ANY_SESSION, session):
        raise TicketRefused("the ticket is for another session")
    tenant = str(claims.get("tenant", ""))
    if not _TENANT.fullmatch(tenant):
        raise TicketRefused("the ticket's tenant is not a name of at most 64 of A-Z a-z 0-9 . _ -")
    return Ticket(str(claims["session"]), str(claims["scenario"]), tenant)


def bearer_matches(header: str, key: str) -> bool:
    """Whether an Authorization header carries the key; compared in constant time."""
    scheme, _, given = header.partition(" ")
    same = hmac.compare_digest(given.strip().encode(), key.encode())
    return same and scheme.lower() == "bearer"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and nobody else's."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_loopback(host: str, setting: str, door: str) -> None:
    """Refuse to open `door` to the network without a key. Raises StartupError."""
    if not is_loopback(host):
        raise StartupError(
            f"the {door} would listen on {host} and let anyone in: set {setting} to a secret of at"
            f" least 32 characters, or VOICEMESH_BIND_HOST to 127.0.0.1."
        )
