"""The seed's Agent Registry and Scenario Registry sections: their samples, but for the package's
name."""

from __future__ import annotations

from agentkit import AgentLoader, ScenarioLoader


def test_load_an_agent_and_its_tools() -> None:
    # Load an agent
    loader = AgentLoader()
    agent = loader.load_agent("concierge")
    # Get agent tools
    tools = agent.tools  # List of tool names

    assert "get_account_summary" in tools
    assert "verify_client_identity" in tools


def test_load_a_scenario_and_its_agents() -> None:
    # Load a scenario
    loader = ScenarioLoader()
    scenario = loader.load_scenario("banking")
    # Get scenario agents
    agents = scenario.agents  # List of agent names
    start_agent = scenario.start_agent  # Entry point agent

    assert "concierge" in agents
    assert start_agent in agents


def test_an_agents_folder_holds_its_yaml_and_its_prompt() -> None:
    folder = AgentLoader().folder / "concierge"
    agent = AgentLoader().load_agent("concierge")
    assert (folder / "agent.yaml").is_file()
    assert (folder / agent.prompt).is_file()
