"""All agents and scenarios of a deployment, checked against each other and against the tools."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from agentkit.documents import CatalogError, suggestion
from agentkit.loading import AgentLoader, ScenarioLoader
from agentkit.models import Agent, Scenario


@dataclass(frozen=True, slots=True)
class Catalog:
    """What calls can be started with, by name."""

    agents: Mapping[str, Agent]
    scenarios: Mapping[str, Scenario]
    agents_folder: Path

    @classmethod
    def load(
        cls, agents_folder: Path | str | None = None, scenarios_folder: Path | str | None = None
    ) -> Catalog:
        """Load both folders. Raises CatalogError, also for a scenario that names an unknown agent."""
        agent_loader, scenario_loader = AgentLoader(agents_folder), ScenarioLoader(scenarios_folder)
        agents, scenarios = agent_loader.load_agents(), scenario_loader.load_scenarios()
        for scenario in scenarios.values():
            _check_agents(scenario, agents, scenario_loader)
        if not scenarios:
            raise CatalogError(f"{scenario_loader.folder} holds no scenario; a call needs one")
        return cls(agents, scenarios, agent_loader.folder)

    def check_tools(self, known: Collection[str]) -> None:
        """Raise CatalogError for an agent that names a tool which is not registered."""
        for agent in self.agents.values():
            for tool in agent.tools:
                if tool not in known:
                    path = self.agents_folder / agent.name / "agent.yaml"
                    raise CatalogError(
                        f"{path}: tool {tool!r} is not registered{suggestion(tool, known)}"
                    )


def _check_agents(scenario: Scenario, agents: Mapping[str, Agent], loader: ScenarioLoader) -> None:
    for position, name in enumerate(scenario.agents):
        if name not in agents:
            where = loader.where(scenario.name, "agents", position)
            raise CatalogError(f"{where}: there is no agent {name!r}{suggestion(name, agents)}")
