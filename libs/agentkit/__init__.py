"""Agents and scenarios: what authors write in YAML and Jinja, loaded and checked.

    agent = AgentLoader().load_agent("concierge")        # agent.tools, agent.greeting, ...
    scenario = ScenarioLoader().load_scenario("banking")  # scenario.agents, scenario.start_agent

`models` says what may be written, `loading` finds the files, `prompts` renders them, `catalog` checks
that everything named exists. What is wrong is told by file, line and key (`CatalogError`, which is
meshkit's DocumentError).
"""

from agentkit.catalog import Catalog, variables_of
from agentkit.loading import AgentLoader, ScenarioLoader
from agentkit.models import Agent, ModelOptions, Scenario, Voice
from meshkit.documents import DocumentError as CatalogError

__all__ = [
    "Agent",
    "AgentLoader",
    "Catalog",
    "CatalogError",
    "ModelOptions",
    "Scenario",
    "ScenarioLoader",
    "Voice",
    "variables_of",
]
