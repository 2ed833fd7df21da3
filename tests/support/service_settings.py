"""The settings class of each service by the service's name, for tests that stand outside them."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest import mock

from pydantic import AliasChoices

from meshkit.settings import PREFIX, MeshSettings, load_settings


def settings_class(service: str) -> type[MeshSettings]:
    """The class in `{service}.settings`."""
    module = importlib.import_module(f"{service.replace('-', '_')}.settings")
    (found,) = [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, MeshSettings) and kind.__module__ == module.__name__
    ]
    return found


def variables(service: str) -> set[str]:
    """The environment variables that a service reads, of those with the mesh's prefix."""
    fields = settings_class(service).model_fields
    plain = {PREFIX + name.upper() for name, f in fields.items() if f.validation_alias is None}
    aliases = [f.validation_alias for f in fields.values()]
    choices = [a.choices for a in aliases if isinstance(a, AliasChoices)]
    return plain | {str(c) for some in choices for c in some if str(c).startswith(PREFIX)}


def loaded(service: str, environment: Mapping[str, str]) -> MeshSettings:
    """The settings of a service in this environment and no other. Raises SettingsError."""
    with _environment(environment):
        return load_settings(settings_class(service))


@contextmanager
def _environment(environment: Mapping[str, str]) -> Iterator[None]:
    with mock.patch.dict(os.environ, environment, clear=True):
        yield
