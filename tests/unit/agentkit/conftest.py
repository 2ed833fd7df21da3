"""Folders of agents and scenarios that tests write into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from agentkit import Catalog


@dataclass
class Author:
    """Writes agents and scenarios as an author would."""

    root: Path

    @property
    def agents(self) -> Path:
        return self.root / "agents"

    @property
    def scenarios(self) -> Path:
        return self.root / "scenarios"

    def agent(
        self, name: str, yaml: str = "", prompt: str = "You help.", file: str = "prompt.jinja"
    ) -> Path:
        folder = self.agents / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(prompt)
        (folder / "agent.yaml").write_text(dedent(yaml) or "description: none\n")
        return folder / "agent.yaml"

    def defaults(self, yaml: str) -> Path:
        path = self.agents / "_defaults.yaml"
        path.write_text(dedent(yaml))
        return path

    def scenario(self, name: str, yaml: str) -> Path:
        path = self.scenarios / f"{name}.yaml"
        path.write_text(dedent(yaml))
        return path

    def catalog(self) -> Catalog:
        return Catalog.load(self.agents, self.scenarios)


@pytest.fixture
def author(tmp_path: Path) -> Author:
    made = Author(tmp_path)
    made.agents.mkdir()
    made.scenarios.mkdir()
    return made
