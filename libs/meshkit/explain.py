"""Where each setting of a service comes from: value, source, default, one sentence; no secrets.

Pure: it is handed the sources that the settings were built of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic_core import to_jsonable_python

from meshkit.settings import MeshSettings, field_of, is_secret, live_names, variables_of

Source = Literal["environment", "app configuration", "file", "default"]

MASK = "****"
_USER_OF_URL = re.compile(r"(?<=://)[^/@\s]*@")


@dataclass(frozen=True)
class Explained:
    """One setting. `variable` is the environment variable that sets it, or could."""

    name: str
    value: Any
    source: Source
    default: Any
    meaning: str
    live: bool
    """Whether it changes without a restart."""
    variable: str


def explain(
    settings: MeshSettings,
    environment: Mapping[str, str],
    remote: Mapping[str, Any],
    file: Mapping[str, Any],
) -> list[Explained]:
    """Every setting, in the order in which they are declared.

    `remote` is what App Configuration says by setting, `file` what the YAML file says.
    """
    kind = type(settings)
    given = {name.upper() for name in environment}
    in_file = {field_of(kind, (name,)) for name in file}
    explained = []
    for name, field in kind.model_fields.items():
        set_by = next((v for v in variables_of(kind, name) if v in given), None)
        source: Source = "default"
        if set_by:
            source = "environment"
        elif name in remote:
            source = "app configuration"
        elif name in in_file:
            source = "file"
        explained.append(
            Explained(
                name=name,
                value=shown(kind, name, getattr(settings, name)),
                source=source,
                default=shown(kind, name, field.get_default(call_default_factory=True)),
                meaning=field.description or "",
                live=name in live_names(kind),
                variable=set_by or variables_of(kind, name)[0],
            )
        )
    return explained


def shown(kind: type[MeshSettings], name: str, value: Any) -> Any:
    """A value as it may be shown: a secret as `****`, a URL without its user and password."""
    plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    if not is_secret(kind, name) or plain in ("", None):
        return to_jsonable_python(plain)
    if name.endswith("_url"):
        return _USER_OF_URL.sub(f"{MASK}@", str(plain))
    return MASK
