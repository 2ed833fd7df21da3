"""Where a service is, as written in settings: `static:host:port,host:port` or `dns:name:port`."""

from __future__ import annotations

from typing import NamedTuple

_FORMS = "use static:host:port[,host:port...] or dns:name:port"


class Target(NamedTuple):
    """A parsed target."""

    scheme: str
    """`static` or `dns`."""
    addresses: tuple[str, ...]
    """`host:port` each; exactly one for `dns`."""


def parse_target(text: str) -> Target:
    """Take a target apart. Raises ValueError with what was wrong and what to write."""
    scheme, _, rest = text.partition(":")
    addresses = tuple(part.strip() for part in rest.split(",") if part.strip())
    if scheme not in ("static", "dns") or not addresses:
        raise ValueError(f"{text!r} is not a target; {_FORMS}")
    if scheme == "dns" and len(addresses) > 1:
        raise ValueError(f"{text!r} has more than one name; {_FORMS}")
    for address in addresses:
        _check_address(address)
    return Target(scheme, addresses)


def check_target(text: str) -> str:
    """The same text, if it is a target. Raises ValueError."""
    parse_target(text)
    return text


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`. Raises ValueError."""
    _check_address(address)
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _check_address(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) <= 65535:
        raise ValueError(f"{address!r} is not host:port; {_FORMS}")
