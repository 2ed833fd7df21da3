"""The agent and the scenario of the README load as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import orchestrator
from agentkit import Catalog, variables_of
from agentkit.prompts import render

README = Path(orchestrator.__file__).parent / "README.md"


def block(kind: str, after: str) -> str:
    """The first code block of a kind after a line."""
    text = README.read_text(encoding="utf-8").split(after, 1)[1]
    found = re.search(rf"```{kind}\n(.*?)```", text, re.DOTALL)
    assert found
    return found[1]


def test_the_agent_and_the_scenario_of_the_readme_load(tmp_path: Path) -> None:
    teller = tmp_path / "agents" / "teller"
    teller.mkdir(parents=True)
    (tmp_path / "scenarios").mkdir()
    agent_yaml = block("yaml", "## Write an agent")
    scenario_yaml = block("yaml", "## Write a scenario")
    (teller / "agent.yaml").write_text(agent_yaml)
    (teller / "prompt.jinja").write_text(block("jinja", "## Write an agent"))
    (tmp_path / "scenarios" / "counter.yaml").write_text(scenario_yaml)
    assert max(len(agent_yaml.splitlines()), len(scenario_yaml.splitlines())) <= 12

    catalog = Catalog.load(tmp_path / "agents", tmp_path / "scenarios")
    catalog.check_tools({"verify_client_identity", "get_account_summary"})

    agent, scenario = catalog.agents["teller"], catalog.scenarios["counter"]
    unknown, known = variables_of(agent, scenario), variables_of(agent, scenario, {"branch": "X"})
    greeting = "Hello, this is Meridian Bank, Station Road. How can I help?"
    assert render(agent.greeting, unknown) == greeting
    assert "branch" not in render(agent.prompt_template, unknown)
    assert "The caller's branch is X." in render(agent.prompt_template, known)
