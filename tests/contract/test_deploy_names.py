"""The same five names wherever the mesh is built and deployed: extras, image, compose, chart."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from meshkit.call_graph import SERVICES
from tests.support.strict_yaml import read_strictly

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "voicemesh"
OTHER_EXTRAS = {"cli", "dev"}
PLANNER = "planner"
"""Has an image and a container for the local profile; is no service and no component."""


def _compose() -> dict[str, Any]:
    parsed: dict[str, Any] = read_strictly((ROOT / "docker-compose.yml").read_text())
    return parsed


def _dockerfile() -> str:
    return (ROOT / "services" / "Dockerfile").read_text()


def _values() -> dict[str, Any]:
    parsed: dict[str, Any] = read_strictly((CHART / "values.yaml").read_text())
    return parsed


def test_folders() -> None:
    found = {path.parent.name for path in (ROOT / "services").glob("*/__init__.py")}
    assert {name.replace("_", "-") for name in found} == set(SERVICES)


def test_extras() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = set(project["optional-dependencies"])
    assert set(SERVICES) <= extras
    # An extra with an underscore would be the same to pip, and another name to everyone else.
    assert not [name for name in extras if "_" in name]


def test_image_arguments() -> None:
    """The Dockerfile takes the five and the planner, and names them in its refusal."""
    (names,) = re.findall(r"([a-z|-]+)\) extra=\"\$SERVICE\"", _dockerfile())
    assert tuple(names.split("|")) == SERVICES
    (refusal,) = re.findall(r"SERVICE is '\$SERVICE'; use ([a-z, -]+)\"", _dockerfile())
    assert set(re.split(r", | or ", refusal)) == {*SERVICES, PLANNER}


def test_compose() -> None:
    services = _compose()["services"]
    assert set(services) == {*SERVICES, PLANNER, "valkey"}
    for name in (*SERVICES, PLANNER):
        assert services[name]["build"]["args"]["SERVICE"] == name
        assert services[name]["image"] == f"voicemesh/{name}:${{VOICEMESH_TAG:-dev}}"


def test_chart_values_and_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    components = schema["properties"]["components"]
    assert set(_values()["components"]) == {*SERVICES, "default"}
    assert set(components["properties"]) == set(components["required"]) == {*SERVICES, "default"}
    assert set(schema["definitions"]["service"]["enum"]) == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_compose_and_chart_agree_on_ports(service: str) -> None:
    environment = _compose()["services"][service]["environment"]
    given = {
        name.removeprefix("VOICEMESH_").removesuffix("_PORT").lower(): int(value)
        for name, value in environment.items()
        if name.endswith("_PORT")
    }
    assert given == _values()["components"][service]["ports"]
