"""Typed settings: environment over App Configuration over YAML over default.

A service declares a frozen subclass of `MeshSettings`, each field with a unit and a sentence. The
environment variable of a field is `VOICEMESH_` and its name in capitals, unless the field names
aliases of its own (the seed's `AZURE_SPEECH_KEY` and the like). `VOICEMESH_CONFIG` names a YAML
file with the fields' names as keys. What App Configuration says is handed in, by field name:
`meshkit.configuration` asks it. A field with `json_schema_extra=LIVE` may change while the process
runs: `settings.now(name)`, `settings.live.on_change(name, fn)`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, AliasChoices, Field, PrivateAttr, SecretStr, ValidationError
from pydantic.config import JsonDict
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from meshkit.identity_settings import IdentitySettings
from meshkit.live import Live
from meshkit.targets import check_target

PREFIX = "VOICEMESH_"
CONFIG_FILE = "VOICEMESH_CONFIG"

LIVE: JsonDict = {"live": True}
"""Marks a field that may change while the process runs: `Field(..., json_schema_extra=LIVE)`."""
SECRET: JsonDict = {"secret": True}
"""Marks a field whose value is not shown, where neither its type nor its name says so."""

_MAY_HOLD_SECRETS = ("secret", "key", "token", "password", "url")
"""Parts of names whose values are not repeated in an error; a URL may hold a password."""

_remote: ContextVar[Mapping[str, Any]] = ContextVar("remote", default=MappingProxyType({}))

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
        said = yaml_settings(os.environ)
        return {field_of(self.settings_cls, (name,)) or name: said[name] for name in said}


class _AppConfiguration(PydanticBaseSettingsSource):
    """Values that `load_settings` was handed; text is JSON where the field is a list or the like."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        value = _remote.get().get(field_name)
        if isinstance(value, str) and self.field_is_complex(field):
            with suppress(ValueError):  # validation names it
                value = json.loads(value)
        return value, field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        given = [name for name in fields if name in _remote.get()]
        return {name: self.get_field_value(fields[name], name)[0] for name in given}


class MeshSettings(IdentitySettings):
    """What every service is told."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", populate_by_name=True
    )

    profile: Literal["local", "azure"] = Field(
        "local", description="Which set of adapters serves: embedded engines, or Azure."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level of our own logs.", json_schema_extra=LIVE
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
    otlp_endpoint: str = Field(
        "",
        pattern=r"^(https?://[^/@\s]+/?)?$",
        validation_alias=AliasChoices(
            "VOICEMESH_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "otlp_endpoint"
        ),
        description="Where traces and metrics go by OTLP over gRPC, such as http://collector:4317;"
        " empty: nowhere.",
    )
    telemetry_ring_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port of 127.0.0.1 on which a gateway of a mesh on one machine keeps the newest"
        " traces and metrics for its console page, and to which the services send them unless"
        " otlp_endpoint names a collector; empty: no ring.",
    )
    trace_sample_ratio: float = Field(
        1.0, ge=0, le=1, description="Share of the calls that are traced, if anything is."
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port that serves metrics to Prometheus at /metrics, by custom 9464; 0 picks a"
        " free one, empty: none does.",
    )
    drain_seconds: float = Field(
        25.0,
        ge=0,
        le=3600,
        description="Seconds that work under way may take after SIGTERM.",
        json_schema_extra=LIVE,
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
    diagnostics: bool = Field(
        False,
        description="Whether tasks and profiles of this process are told where certificates do not"
        " say who asks: by the gateway to who has the control key (without one, this machine), by"
        " a gRPC server without certificates to whoever reaches it.",
        json_schema_extra=LIVE,
    )
    appconfig_endpoint: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices(
            "AZURE_APPCONFIG_ENDPOINT", "VOICEMESH_APPCONFIG_ENDPOINT", "appconfig_endpoint"
        ),
        description="App Configuration store, such as https://NAME.azconfig.io, read as the"
        " identity of the pod, or its connection string; empty: none is read.",
    )
    appconfig_label: str = Field(
        "",
        validation_alias=AliasChoices(
            "AZURE_APPCONFIG_LABEL", "VOICEMESH_APPCONFIG_LABEL", "appconfig_label"
        ),
        description="Label whose settings go over those without one; empty: those without only.",
    )
    appconfig_required: bool = Field(
        False,
        description="Whether a store that gives no answer at start keeps the process from"
        " starting; otherwise it starts on YAML and defaults, with a warning.",
    )
    appconfig_start_seconds: float = Field(
        10.0, gt=0, le=120, description="Seconds that the store may take to answer at start."
    )
    appconfig_refresh_seconds: float = Field(
        30.0, ge=1, le=3600, description="Seconds between two questions to the store for changes."
    )

    _live: Live = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Begin with no listeners."""
        self._live = Live(live_names(type(self)))

    @property
    def live(self) -> Live:
        """Who listens to changes of live settings."""
        return self._live

    @property
    def uses_ring(self) -> bool:
        """Whether telemetry goes to the gateway's ring: there is one, and no collector is named."""
        return self.telemetry_ring_port is not None and not self.otlp_endpoint

    @property
    def telemetry_endpoint(self) -> str:
        """Where traces and metrics go: the collector, else the ring; empty: nowhere."""
        return (
            f"http://127.0.0.1:{self.telemetry_ring_port}" if self.uses_ring else self.otlp_endpoint
        )

    def now(self, name: str) -> Any:
        """The value of a live setting at this moment; its attribute is the one of the start."""
        return self._live.value(name, getattr(self, name))

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
        return (
            init_settings,
            env_settings,
            _AppConfiguration(settings_cls),
            _YamlFile(settings_cls),
        )


def load_settings(kind: type[S], remote: Mapping[str, Any] | None = None) -> S:
    """Read the settings of a service. Raises SettingsError.

    `remote` is what App Configuration says by field name; default: what `remote_values` gave.
    """
    try:
        return build_settings(kind, _remote.get() if remote is None else remote)
    except ValidationError as error:
        raise SettingsError(sentences(kind, error)) from None


def build_settings(kind: type[S], remote: Mapping[str, Any]) -> S:
    """The same, raising pydantic's ValidationError; SettingsError where the file is not readable."""
    with remote_values(remote):
        return kind()


@contextmanager
def remote_values(remote: Mapping[str, Any]) -> Iterator[None]:
    """Have `load_settings` use these values of App Configuration within the block."""
    token = _remote.set(remote)
    try:
        yield
    finally:
        _remote.reset(token)


def live_names(kind: type[MeshSettings]) -> frozenset[str]:
    """The settings that may change while the process runs."""
    return frozenset(name for name in kind.model_fields if _marked(kind, name, "live"))


def is_secret(kind: type[MeshSettings], name: str) -> bool:
    """Whether a setting's value must not be shown: by its type, its mark or its name."""
    field = kind.model_fields.get(name)
    if field is None or field.annotation is SecretStr or _marked(kind, name, "secret"):
        return True
    number = field.annotation in (int, float, bool)
    return not number and any(part in name for part in _MAY_HOLD_SECRETS)


def variables_of(kind: type[BaseSettings], name: str) -> tuple[str, ...]:
    """The environment variables of a setting, strongest first."""
    alias = kind.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices if str(choice).isupper())
    return (PREFIX + name.upper(),)


def field_of(kind: type[BaseSettings], place: tuple[Any, ...]) -> str | None:
    """The setting that a validation error is about, by its name or an alias; None: about several."""
    named = str(place[0]) if place else ""
    for name in kind.model_fields:
        if named == name or named in variables_of(kind, name):
            return name
    return None


def yaml_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """What the file of VOICEMESH_CONFIG says. Raises SettingsError."""
    path = environment.get(CONFIG_FILE)
    return _read_yaml(Path(path)) if path else {}


def _marked(kind: type[MeshSettings], name: str, mark: str) -> bool:
    field = kind.model_fields.get(name)
    extra = field.json_schema_extra if field else None
    return isinstance(extra, dict) and extra.get(mark) is True


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


def sentences(kind: type[MeshSettings], error: ValidationError) -> str:
    """A sentence a problem: which setting, what is wrong with it, what it means."""
    return " ".join(_sentence(kind, dict(problem)) for problem in error.errors(include_url=False))


def _sentence(kind: type[MeshSettings], problem: dict[str, Any]) -> str:
    name = field_of(kind, problem["loc"])
    if name is None:
        return f"Settings do not fit each other: {problem['msg'].removeprefix('Value error, ')}."
    field, variable = kind.model_fields[name], variables_of(kind, name)[0]
    meaning = f" It means: {field.description}" if field.description else ""
    given = "" if is_secret(kind, name) else f" (given: {problem.get('input')!r})"
    return f"Setting {variable} is not valid: {problem['msg']}{given}.{meaning}"
