"""Typed settings: environment over YAML over default, each with a unit and a sentence.

A service declares a frozen subclass of `MeshSettings`; the environment variable of a field is
`VOICEMESH_` and its name in capitals, unless the field names aliases of its own (the seed's
`AZURE_SPEECH_KEY` and the like). `VOICEMESH_CONFIG` names a YAML file with the fields' names as
keys. A later source, such as App Configuration, goes between the two: see
`settings_customise_sources`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from meshkit.targets import check_target

PREFIX = "VOICEMESH_"
CONFIG_FILE = "VOICEMESH_CONFIG"

_MAY_HOLD_SECRETS = ("secret", "key", "token", "password", "url")
"""Parts of names whose values are not repeated in an error; a URL may hold a password."""

S = TypeVar("S", bound="MeshSettings")

Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 picks a free one."""
Target = Annotated[str, AfterValidator(check_target)]
"""Where a service is: `static:host:port,host:port` or `dns:name:port`."""


class SettingsError(Exception):
    """A setting is wrong. The message is one sentence a setting: which, where from, what to do."""


class _YamlFile(PydanticBaseSettingsSource):
    """Values of the file that VOICEMESH_CONFIG names."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        path = os.environ.get(CONFIG_FILE)
        return _read_yaml(Path(path)) if path else {}


class MeshSettings(BaseSettings):
    """What every service is told."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", populate_by_name=True
    )

    profile: Literal["local", "azure"] = Field(
        "local", description="Which set of adapters serves: embedded engines, or Azure."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level of our own logs."
    )
    log_format: Literal["json", "console"] = Field(
        "json", description="JSON lines for machines, or readable lines for a terminal."
    )
    bind_host: str = Field("127.0.0.1", description="Address that servers listen on.")
    advertised_address: str = Field(
        "", description="host:port that other pods reach this one by; empty: the bound address."
    )
    reflection: bool = Field(
        True, description="Whether gRPC reflection is served; switch it off in production."
    )
    drain_seconds: float = Field(
        25.0, ge=0, le=3600, description="Seconds that work under way may take after SIGTERM."
    )
    heartbeat_seconds: float = Field(
        0.25, gt=0, le=10, description="Seconds of silence on a long stream before a heartbeat."
    )
    max_unary_seconds: float = Field(
        10.0,
        gt=0,
        le=600,
        description="Seconds a unary request may take if its caller set no deadline.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources, strongest first."""
        return (init_settings, env_settings, _YamlFile(settings_cls))


def load_settings(kind: type[S]) -> S:
    """Read the settings of a service. Raises SettingsError."""
    try:
        return kind()
    except ValidationError as error:
        raise SettingsError(_sentences(kind, error)) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{CONFIG_FILE} names {path}, which cannot be read: {error.strerror}."
        ) from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {' '.join(str(error).split())}.") from None
    if content is not None and not isinstance(content, dict):
        raise SettingsError(f"{path} must hold settings as `name: value` lines.")
    return content or {}


def _sentences(kind: type[MeshSettings], error: ValidationError) -> str:
    return " ".join(_sentence(kind, dict(problem)) for problem in error.errors(include_url=False))


def _sentence(kind: type[MeshSettings], problem: dict[str, Any]) -> str:
    name = str(problem["loc"][0])
    field = kind.model_fields.get(name)
    variable = PREFIX + name.upper() if field else name
    meaning = f" It means: {field.description}" if field and field.description else ""
    secret = any(part in name for part in _MAY_HOLD_SECRETS)
    given = "" if secret else f" (given: {problem.get('input')!r})"
    return f"Setting {variable} is not valid: {problem['msg']}{given}.{meaning}"
