"""Helm behind one fixture. Nothing here needs a cluster or a Helm binary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # importing it where Helm's library is missing skips, which a conftest cannot
    from tests.support.helm_chart import HelmChart, Objects

SHIPPED = ("local", "azure")


@pytest.fixture(scope="session")
def chart() -> HelmChart:
    """The chart as Helm loads it."""
    from tests.support.helm_chart import HelmChart

    return HelmChart()


@pytest.fixture(scope="session", params=SHIPPED)
def objects(request: pytest.FixtureRequest, chart: HelmChart) -> Objects:
    """What the chart renders, for each of the value files in ci/."""
    return chart.render(chart.shipped(request.param))
