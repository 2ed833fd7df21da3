"""All agents and scenarios of a deployment, checked against each other and against the tools."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentkit.loading import AgentLoader, ScenarioLoader
from agentkit.models import Agent, Scenario
from agentkit.prompts import PromptError, render
from meshkit.documents import DocumentError as CatalogError
from meshkit.documents import suggestion


@dataclass(frozen=True, slots=True)
class Catalog:
    """What calls can be started with, by name."""

    agents: Mapping[str, Agent]
    scenarios: Mapping[str, Scenario]
    agent_loader: AgentLoader

    @classmethod
    def load(
        cls, agents_folder: Path | str | None = None, scenarios_folder: Path | str | None = None
    ) -> Catalog:
        """Load both folders. Raises CatalogError, also for a scenario that names an unknown agent."""
        agent_loader, scenario_loader = AgentLoader(agents_folder), ScenarioLoader(scenarios_folder)
        agents, scenarios = agent_loader.load_agents(), scenario_loader.load_scenarios()
        for scenario in scenarios.values():
            _check_agents(scenario, agents, scenario_loader)
            for name in scenario.agents:
                _check_templates(agents[name], scenario, agent_loader)
        if not scenarios:
            raise CatalogError(f"{scenario_loader.folder} holds no scenario; a call needs one")
        return cls(agents, scenarios, agent_loader)

    def check_tools(self, known: Collection[str]) -> None:
        """Raise CatalogError for an agent that names a tool which is not registered."""
        for agent in self.agents.values():
            for position, tool in enumerate(agent.tools):
                if tool not in known:
                    where = self.agent_loader.where(agent.name, "tools", position)
                    raise CatalogError(
                        f"{where}: tool {tool!r} is not registered{suggestion(tool, known)}"
                    )


def _check_agents(scenario: Scenario, agents: Mapping[str, Agent], loader: ScenarioLoader) -> None:
    for position, name in enumerate(scenario.agents):
        if name not in agents:
            where = loader.where(scenario.name, "agents", position)
            raise CatalogError(f"{where}: there is no agent {name!r}{suggestion(name, agents)}")


def variables_of(
    agent: Agent, scenario: Scenario, context: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What greeting and prompt are rendered with; the scenario's word goes before the agent's."""
    return {
        "agent_name": agent.name,
        **agent.template_vars,
        **scenario.template_vars,
        "context": dict(context or {}),
    }


def _check_templates(agent: Agent, scenario: Scenario, loader: AgentLoader) -> None:
    """Render both as for a caller of whom nothing is known, so that a typo is found at start."""
    variables = variables_of(agent, scenario)
    greeting_at = f"{loader.where(agent.name, 'greeting')}: greeting"
    prompt_at = str(loader.folder / agent.name / agent.prompt)
    for template, where in ((agent.greeting, greeting_at), (agent.prompt_template, prompt_at)):
        try:
            render(template, variables)
        except PromptError as error:
            raise CatalogError(f"{where}: {error} (scenario {scenario.name!r})") from None
