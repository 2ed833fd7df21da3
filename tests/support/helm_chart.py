"""The chart as Helm sees it: rendered, linted, refused. The only place that imports Helm's library;
where that is missing, whatever imports this is skipped.

The library is Helm itself with a Python face, from one author and young: were it to go, only this
file would change.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.strict_yaml import read_strictly

helm_python = pytest.importorskip(
    "helm_python", reason="helm-python-sdk is not installed; it has no wheel for every platform"
)

CHART = Path(__file__).parents[2] / "charts" / "voicemesh"
RELEASE, NAMESPACE = "blue", "voice"
WARNING = 2
"""Helm's severity of a lint finding that `--strict` fails on."""

Object = dict[str, Any]


class ChartRefused(Exception):
    """Helm would not render. The message is what a person is shown."""


class Objects(list[Object]):
    """Rendered objects, found by kind and by component."""

    def of(self, kind: str) -> list[Object]:
        """All of a kind."""
        return [item for item in self if item["kind"] == kind]

    def by_component(self, kind: str) -> dict[str, Object]:
        """Those of a kind that belong to a component, by its name."""
        label = "app.kubernetes.io/component"
        labelled = ((item["metadata"]["labels"].get(label), item) for item in self.of(kind))
        return {name: item for name, item in labelled if name}

    def pods(self) -> dict[str, Object]:
        """The pod template of each component."""
        return {name: d["spec"]["template"] for name, d in self.by_component("Deployment").items()}

    def containers(self) -> dict[str, Object]:
        """The one container of each component."""
        found = {}
        for name, pod in self.pods().items():
            (found[name],) = pod["spec"]["containers"]
        return found


class HelmChart:
    """charts/voicemesh."""

    def __init__(self) -> None:
        self._chart = helm_python.Chart.load(CHART)

    @property
    def metadata(self) -> dict[str, Any]:
        """Chart.yaml."""
        return dict(self._chart.metadata)

    @property
    def values(self) -> dict[str, Any]:
        """values.yaml."""
        return dict(self._chart.values)

    def shipped(self, name: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """ci/{name}-values.yaml with changes: paths such as `components/gateway/replicas`."""
        values = read_strictly((CHART / "ci" / f"{name}-values.yaml").read_text(encoding="utf-8"))
        for path, value in (changes or {}).items():
            _put(values, path.split("/"), value)
        return dict(values)

    def render(self, values: Mapping[str, Any], release: str = RELEASE) -> Objects:
        """All objects. Raises ChartRefused."""
        manifests = self._rendered(values, release)
        texts = [text for name, text in sorted(manifests.items()) if name.endswith(".yaml")]
        return Objects(item for text in texts for item in _documents(text))

    def notes(self, values: Mapping[str, Any]) -> str:
        """What is told after an installation. Raises ChartRefused."""
        (notes,) = [
            t for n, t in self._rendered(values, RELEASE).items() if n.endswith("NOTES.txt")
        ]
        return notes

    def lint(self, values: Mapping[str, Any] | None = None) -> list[str]:
        """What `helm lint --strict` would fail on."""
        report = helm_python.lint(CHART, dict(values or {}), strict=True)
        found = [m["error"] for m in report["messages"] if m["severity"] >= WARNING]
        return [*found, *report["errors"]]

    def package(self, folder: Path) -> Path:
        """The chart's archive, made in `folder`."""
        return Path(helm_python.package(CHART, destination=folder))

    def _rendered(self, values: Mapping[str, Any], release: str) -> dict[str, str]:
        try:
            # Rendering alone does not ask the schema; an installation does, before it renders.
            self._chart.validate_schema(dict(values))
            return dict(self._chart.render(dict(values), name=release, namespace=NAMESPACE))
        except helm_python.HelmError as error:
            raise ChartRefused(str(error)) from None


def _documents(text: str) -> Iterator[Object]:
    for part in text.split("\n---\n"):
        content = read_strictly(part.removeprefix("---\n"))
        if content is not None:
            yield content


def _put(values: dict[str, Any], path: list[str], value: Any) -> None:
    *parents, last = path
    for key in parents:
        # A copy: YAML anchors share one object, and only this place is to change.
        values[key] = copy.copy(values.get(key, {}))
        values = values[key]
    values[last] = value
