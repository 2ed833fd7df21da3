"""Lua scripts that a package ships beside its code, read once.

A script runs on the server as one step: nothing comes between its commands, and one round trip
pays for all of them. Its first line is `#!lua ...`, which makes the server refuse all of a writing
script when memory is full, instead of some of its commands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

Value = str | bytes | int


@dataclass(frozen=True, slots=True)
class Script:
    """A script by its text, and by the SHA-1 under which servers cache it."""

    name: str
    text: str
    sha: str


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """A script with what it is given."""

    script: Script
    keys: Sequence[str]
    args: Sequence[Value] = ()

    def body(self) -> tuple[Value, ...]:
        """Count of keys, keys, arguments: as EVAL takes them."""
        return (len(self.keys), *self.keys, *self.args)


def load_script(package: str, name: str, *, shared: str = "") -> Script:
    """Read `{name}.lua` from a package, with `{shared}.lua` put in after its first line.

    Raises FileNotFoundError, and ValueError if the first line is not `#!lua`.
    """
    folder = files(package)
    first, _, rest = (folder / f"{name}.lua").read_text(encoding="utf-8").partition("\n")
    if not first.startswith("#!lua"):
        raise ValueError(f"{name}.lua must begin with #!lua")
    before = (folder / f"{shared}.lua").read_text(encoding="utf-8") if shared else ""
    text = f"{first}\n{before}{rest}"
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return Script(name, text, sha)
