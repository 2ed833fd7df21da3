"""Finds model files inside installed wheels, without importing the wheels' own code."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from speech_pool.ports import ProviderUnavailable

INSTALL_HINT = "run `make install`, which installs the local engines"


def installed(package: str) -> bool:
    """Whether an import of `package` would find it."""
    return importlib.util.find_spec(package) is not None


def asset(package: str, *parts: str, hint: str = INSTALL_HINT) -> Path:
    """The path of a file in an installed package.

    Raises ProviderUnavailable, saying which file is missing and what to do about it.
    """
    wanted = "/".join((package, *parts))
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ProviderUnavailable(f"{wanted} is missing, package {package} not installed: {hint}")
    path = Path(spec.submodule_search_locations[0], *parts)
    if not path.is_file():
        raise ProviderUnavailable(f"{wanted} is missing from the installed package: {hint}")
    return path
