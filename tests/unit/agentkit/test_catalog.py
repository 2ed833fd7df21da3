"""What agents and scenarios say of each other must be true before the first call."""

from __future__ import annotations

from typing import Any

import pytest

from agentkit import Catalog, CatalogError, variables_of
from agentkit.prompts import PromptError, render


def refusal(author: Any) -> str:
    with pytest.raises(CatalogError) as refused:
        author.catalog()
    return str(refused.value)


def test_a_scenario_that_names_an_unknown_agent(author: Any) -> None:
    author.agent("front")
    path = author.scenario("bank", "agents:\n  - front\n  - bakc\n")
    author.agent("back")
    assert refusal(author) == f"{path}:3: there is no agent 'bakc'; did you mean 'back'?"


def test_no_scenario_at_all(author: Any) -> None:
    author.agent("front")
    assert "holds no scenario" in refusal(author)


def test_an_agent_that_names_an_unknown_tool(author: Any) -> None:
    path = author.agent("front", "tools:\n  - known\n  - knwon\n")
    author.scenario("bank", "agents: [front]\n")
    catalog = author.catalog()
    with pytest.raises(CatalogError) as refused:
        catalog.check_tools({"known"})
    assert str(refused.value) == (
        f"{path}:3: tool 'knwon' is not registered; did you mean 'known'?"
    )
    catalog.check_tools({"known", "knwon"})


def test_a_variable_that_nobody_sets(author: Any) -> None:
    path = author.agent("front", "greeting: Hello {{ caller }}\n")
    author.scenario("bank", "agents: [front]\n")
    said = refusal(author)
    assert said.startswith(f"{path}:1: greeting: 'caller' is undefined")
    assert "template_vars" in said
    assert "'bank'" in said


def test_a_variable_that_the_scenario_sets(author: Any) -> None:
    author.agent("front", "greeting: Hello from {{ bank }}\ntemplate_vars: {bank: A}\n")
    author.agent("back", "greeting: Still {{ city }}\n")
    author.scenario("b", "agents: [front, back]\ntemplate_vars: {bank: B, city: Bern}\n")
    catalog = author.catalog()
    agent = catalog.agents["front"]
    variables = variables_of(agent, catalog.scenarios["b"])
    assert render(agent.greeting, variables) == "Hello from B"


def test_a_prompt_that_needs_a_fact_is_refused_unless_it_has_a_default(author: Any) -> None:
    author.scenario("bank", "agents: [front]\n")
    path = author.agent("front", prompt="Call them {{ context.name }}.")
    assert refusal(author).startswith(f"{path.parent / 'prompt.jinja'}: ")
    author.agent("front", prompt="Call them {{ context.name | default('friend') }}.")
    catalog = author.catalog()
    agent, scenario = catalog.agents["front"], catalog.scenarios["bank"]
    prompt = agent.prompt_template
    assert render(prompt, variables_of(agent, scenario)) == "Call them friend."
    assert render(prompt, variables_of(agent, scenario, {"name": "Ann"})) == "Call them Ann."


ESCAPES = [
    "{{ ''.__class__.__mro__ }}",
    "{{ context.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{% set x = context.update({'a': 1}) %}",
]


@pytest.mark.parametrize("template", ESCAPES)
def test_a_prompt_cannot_leave_the_sandbox(template: str) -> None:
    with pytest.raises(PromptError):
        render(template, {"context": {}})


def test_a_prompt_cannot_grow_without_bound() -> None:
    with pytest.raises(PromptError):
        render("{{ 'x' * 200000 }}", {})
    with pytest.raises(PromptError):
        render("{% for _ in range(10**9) %}x{% endfor %}", {})


def test_text_is_not_escaped() -> None:
    assert render("{{ a }}", {"a": "Smith & Sons <b>"}) == "Smith & Sons <b>"


def test_the_shipped_catalog_is_right() -> None:
    catalog = Catalog.load()
    catalog.check_tools(
        {
            "verify_client_identity",
            "get_account_summary",
            "get_recent_transactions",
            "refund_fee",
            "search_knowledge_base",
        }
    )
    agent, scenario = catalog.agents["concierge"], catalog.scenarios["banking"]
    variables = variables_of(agent, scenario, {"branch": "North"})
    assert "Meridian Bank" in render(agent.greeting, variables)
    prompt = render(agent.prompt_template, variables)
    assert "verify_client_identity" in prompt
    assert "branch: North" in prompt
