"""What App Configuration means to a service, without asking it: which keys, and which values hold.

A key is `voicemesh/{setting}` for every service, or `voicemesh/{service}/{setting}` for one, which
goes before. A value that does not validate is refused by name, and the last good one stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from meshkit.settings import (
    MeshSettings,
    SettingsError,
    build_settings,
    field_of,
    sentences,
)

PREFIX = "voicemesh/"
_ITS_OWN = "appconfig_"
"""Settings of the store itself are not read from it."""

S = TypeVar("S", bound=MeshSettings)


@dataclass(frozen=True)
class Accepted(Generic[S]):
    """Settings with the values of App Configuration that hold."""

    settings: S
    values: Mapping[str, Any]
    """By setting, as App Configuration said them now or, where that was refused, last."""
    refused: Mapping[str, str]
    """Setting to why its new value does not hold."""


def of_service(said: Mapping[str, Any], service: str) -> dict[str, Any]:
    """The values that a service is told, by setting."""
    keys = {key.removeprefix(PREFIX): key for key in said if key.startswith(PREFIX)}
    values = {name: said[key] for name, key in keys.items() if "/" not in name}
    own = f"{service}/"
    values |= {n.removeprefix(own): said[key] for n, key in keys.items() if n.startswith(own)}
    return {name: value for name, value in values.items() if not name.startswith(_ITS_OWN)}


def unknown_keys(said: Mapping[str, Any], service: str, kind: type[MeshSettings]) -> list[str]:
    """Keys meant for this service alone that are no setting of it: misspelt, most likely."""
    own = f"{PREFIX}{service}/"
    names = [key.removeprefix(own) for key in said if key.startswith(own)]
    return sorted(own + name for name in names if name not in kind.model_fields)


def accept(kind: type[S], wanted: Mapping[str, Any], kept: Mapping[str, Any]) -> Accepted[S]:
    """The settings with `wanted`, and with `kept` (the last good) where a wanted one is not valid.

    Raises SettingsError if they are not valid even so: the environment or the file is wrong then.
    """
    values, refused = dict(wanted), dict[str, str]()
    while True:
        try:
            return Accepted(build_settings(kind, values), values, refused)
        except ValidationError as error:
            why = sentences(kind, error)
            blamed = _blamed(kind, error, values, kept)
            if not blamed:
                raise SettingsError(why) from None
            for name in blamed:
                refused[name] = why
                _revert(values, kept, name)


def _blamed(
    kind: type[S], error: ValidationError, values: Mapping[str, Any], kept: Mapping[str, Any]
) -> list[str]:
    """The settings to take back: those named, else the one whose return mends it, else all new."""
    new = [name for name in values if name not in kept or values[name] != kept[name]]
    named = {field_of(kind, problem["loc"]) for problem in error.errors()}
    found = [name for name in values if name in named]
    if found:
        return found
    return next(([name] for name in new if _mends(kind, values, kept, name)), new)


def _mends(kind: type[S], values: Mapping[str, Any], kept: Mapping[str, Any], name: str) -> bool:
    trial = dict(values)
    _revert(trial, kept, name)
    try:
        build_settings(kind, trial)
    except ValidationError:
        return False
    return True


def _revert(values: dict[str, Any], kept: Mapping[str, Any], name: str) -> None:
    if name in kept and kept[name] != values[name]:
        values[name] = kept[name]
    else:
        del values[name]
