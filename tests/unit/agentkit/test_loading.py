"""What authors write is loaded; what they got wrong is told by file, line and key."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from agentkit import AgentLoader, CatalogError, ScenarioLoader


def refusal_of_agent(author: Any, name: str = "front") -> str:
    with pytest.raises(CatalogError) as refused:
        AgentLoader(author.agents).load_agent(name)
    return str(refused.value)


def test_an_agent_over_its_defaults(author: Any) -> None:
    author.defaults(
        """\
        voice: {name: alto, rate: "-4%"}
        model: {temperature: 0.3}
        template_vars: {institution_name: Bank, city: Bern}
        tools: [a, b]
        """
    )
    author.agent(
        "front",
        """\
        voice: {rate: "+2%"}
        template_vars: {city: Basel}
        tools: [c]
        """,
    )
    agent = AgentLoader(author.agents).load_agent("front")
    assert (agent.voice.name, agent.voice.rate) == ("alto", "+2%")
    assert agent.model.temperature == 0.3
    assert agent.template_vars == {"institution_name": "Bank", "city": "Basel"}
    assert agent.tools == ("c",), "lists are replaced, not joined"


def test_the_prompt_may_be_another_file(author: Any) -> None:
    author.agent("front", "prompt: prompt.md\n", prompt="# Hello", file="prompt.md")
    assert AgentLoader(author.agents).load_agent("front").prompt_template == "# Hello"


def test_parts_that_agents_share_follow_the_prompt(author: Any) -> None:
    (author.agents / "_defaults.yaml").write_text("prompt_parts: [_rules.jinja]\n")
    (author.agents / "_rules.jinja").write_text("Be kind to {{ who }}.")
    author.agent("front", prompt="Hello.")
    author.agent("back", "prompt_parts: []\n", prompt="Hello.")
    loader = AgentLoader(author.agents)
    assert loader.load_agent("front").prompt_template == "Hello.\nBe kind to {{ who }}."
    assert loader.load_agent("back").prompt_template == "Hello."


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("_none.jinja", "_defaults.yaml:1: the prompt"),
        ("../secret.txt", "must lie in"),
        ("_broken.jinja", "_broken.jinja: line 1"),
    ],
)
def test_a_part_that_cannot_be_used_is_told(author: Any, part: str, said: str) -> None:
    (author.agents / "_defaults.yaml").write_text(f"prompt_parts: [{part}]\n")
    (author.agents / "_broken.jinja").write_text("{% if %}")
    author.agent("front")
    with pytest.raises(CatalogError, match=said):
        AgentLoader(author.agents).load_agent("front")


def test_an_unknown_key_is_told_with_its_line_and_what_was_meant(author: Any) -> None:
    path = author.agent("front", "description: x\nvoise:\n  name: alto\n")
    assert refusal_of_agent(author) == f"{path}:2: unknown key 'voise'; did you mean 'voice'?"


def test_an_unknown_key_inside_another(author: Any) -> None:
    path = author.agent("front", "voice:\n  name: alto\n  rait: 1\n")
    said = refusal_of_agent(author)
    assert said == f"{path}:3: unknown key 'voice.rait'; did you mean 'rate'?"


def test_a_fault_of_the_defaults_is_told_of_the_defaults(author: Any) -> None:
    author.agent("front", "description: x\n")
    path = author.defaults("\nmodle: {}\n")
    assert refusal_of_agent(author) == f"{path}:2: unknown key 'modle'; did you mean 'model'?"


def test_a_value_of_the_wrong_kind(author: Any) -> None:
    path = author.agent("front", "model:\n  temperature: hot\n")
    said = refusal_of_agent(author)
    assert said.startswith(f"{path}:2: key 'model.temperature' is not right: ")
    assert "number" in said


def test_a_value_out_of_range(author: Any) -> None:
    path = author.agent("front", "model:\n  temperature: 3\n")
    assert refusal_of_agent(author).startswith(f"{path}:2: key 'model.temperature'")


def test_a_key_that_stands_twice(author: Any) -> None:
    path = author.agent("front", "greeting: Hello\ndescription: x\ngreeting: Hi\n")
    assert refusal_of_agent(author) == f"{path}:3: key 'greeting' stands twice"


@pytest.mark.parametrize(
    ("text", "line"), [("a: [1, 2\n", 2), ("greeting: 'x\n", 2), ("voice:\n\tname: x\n", 2)]
)
def test_what_is_no_yaml(author: Any, text: str, line: int) -> None:
    path = author.agent("front", text)
    assert refusal_of_agent(author).startswith(f"{path}:{line}: is not YAML: ")


def test_a_file_that_is_no_mapping(author: Any) -> None:
    path = author.agent("front", "- a\n")
    assert refusal_of_agent(author) == f"{path}:1: must hold `key: value` lines"


def test_a_prompt_that_is_not_there(author: Any) -> None:
    path = author.agent("front", "description: x\nprompt: other.jinja\n")
    said = refusal_of_agent(author)
    assert said.startswith(f"{path}:2: the prompt ")
    assert "other.jinja" in said


def test_a_prompt_outside_the_folder_is_refused(author: Any, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    path = author.agent("front", "prompt: ../../secret.txt\n")
    assert refusal_of_agent(author) == f"{path}:1: the prompt must lie in {author.agents}"


def test_a_greeting_that_is_no_jinja(author: Any) -> None:
    path = author.agent("front", "description: x\ngreeting: Hello {{ name\n")
    assert refusal_of_agent(author).startswith(f"{path}:2: greeting: line 1: ")


def test_a_prompt_that_is_no_jinja(author: Any) -> None:
    path = author.agent("front", prompt="Hello\n{% if %}")
    said = refusal_of_agent(author)
    assert said.startswith(f"{path.parent / 'prompt.jinja'}: line 2: ")


def test_another_name_in_the_file(author: Any) -> None:
    path = author.agent("front", "name: back\n")
    said = refusal_of_agent(author)
    assert said == f"{path}:1: name is 'back', but the file is called 'front'"


def test_the_text_of_the_prompt_cannot_be_smuggled_in(author: Any) -> None:
    path = author.agent("front", "description: x\nprompt_template: Obey.\n")
    assert refusal_of_agent(author) == f"{path}:2: unknown key 'prompt_template'"


def test_an_agent_that_is_not_there(author: Any) -> None:
    author.agent("front")
    said = refusal_of_agent(author, "fromt")
    assert said == f"there is no agent 'fromt' in {author.agents}; did you mean 'front'?"


def test_a_name_cannot_leave_the_folder(author: Any) -> None:
    author.agent("front")
    assert "there is no agent '../agents/front'" in refusal_of_agent(author, "../agents/front")


def test_a_scenario_starts_with_its_first_agent(author: Any) -> None:
    author.scenario("bank", "agents: [front, back]\n")
    scenario = ScenarioLoader(author.scenarios).load_scenario("bank")
    assert scenario.start_agent == "front"
    assert scenario.agents == ("front", "back")


def test_a_scenario_may_have_a_folder(author: Any) -> None:
    path = author.scenario("bank", "agents: [front]\n")
    (author.scenarios / "bank").mkdir()
    shutil.move(path, author.scenarios / "bank" / "scenario.yaml")
    loader = ScenarioLoader(author.scenarios)
    assert loader.names() == ["bank"]
    assert loader.load_scenario("bank").agents == ("front",)


SCENARIO_FAULTS = {
    "description: x\n": "{path}:1: key 'agents' is missing",
    "agents: []\n": "{path}:1: key 'agents' is not right: ",
    "agents: [front]\nstart_agent: fron\n": "{path}:2: start_agent 'fron' is not among the agents;"
    " did you mean 'front'?",
    "agents:\n  - front\n  - No Name\n": "{path}:3: key 'agents.1' is not right: ",
    "agents: [front]\nhandofs: []\n": "{path}:2: unknown key 'handofs'; known are ",
}


@pytest.mark.parametrize("yaml", SCENARIO_FAULTS)
def test_faults_of_a_scenario(author: Any, yaml: str) -> None:
    path = author.scenario("bank", yaml)
    with pytest.raises(CatalogError) as refused:
        ScenarioLoader(author.scenarios).load_scenario("bank")
    assert str(refused.value).startswith(SCENARIO_FAULTS[yaml].format(path=path))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="set VOICEMESH_AGENTS_DIR"):
        AgentLoader(tmp_path / "none")


def test_the_environment_names_the_folders(author: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    author.agent("front")
    author.scenario("bank", "agents: [front]\n")
    monkeypatch.setenv("VOICEMESH_AGENTS_DIR", str(author.agents))
    monkeypatch.setenv("VOICEMESH_SCENARIOS_DIR", str(author.scenarios))
    assert AgentLoader().names() == ["front"]
    assert ScenarioLoader().names() == ["bank"]
