"""Finding and reading agents and scenarios on disk.

agents/_defaults.yaml                 what agents inherit
agents/_tools.jinja                   a part of their prompts, where `prompt_parts` names it
agents/{agent}/agent.yaml, prompt.jinja (or the file that `prompt` names, such as prompt.md)
scenarios/{scenario}.yaml, or scenarios/{scenario}/scenario.yaml
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentkit.models import Agent, Scenario
from agentkit.prompts import PromptError, check_syntax
from meshkit.documents import Document, read_document, suggestion, validated
from meshkit.documents import DocumentError as CatalogError

AGENTS_VARIABLE = "VOICEMESH_AGENTS_DIR"
SCENARIOS_VARIABLE = "VOICEMESH_SCENARIOS_DIR"
MAX_PROMPT_BYTES = 256 * 1024


class AgentLoader:
    """Loads agents from a folder: the one given, VOICEMESH_AGENTS_DIR, or those shipped."""

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = _folder(folder, AGENTS_VARIABLE, "agents")

    def names(self) -> list[str]:
        """The agents there are, sorted."""
        return sorted(path.parent.name for path in self.folder.glob("*/agent.yaml"))

    def load_agent(self, name: str) -> Agent:
        """One agent. Raises CatalogError."""
        path = self.folder / name / "agent.yaml"
        if name not in self.names():
            raise CatalogError(
                f"there is no agent {name!r} in {self.folder}{suggestion(name, self.names())}"
            )
        document, defaults = read_document(path), self._defaults()
        content = _merged(defaults.content if defaults else {}, document.content)
        _same_name(content, name, document.where(("name",)))
        if "prompt_template" in document.content:
            raise CatalogError(
                f"{document.where(('prompt_template',))}: unknown key 'prompt_template'"
            )
        agent = validated(Agent, document, content, beneath=defaults)
        prompt = self._prompt(path.parent / agent.prompt, document.where(("prompt",)))
        _check_syntax(agent.greeting, f"{document.where(('greeting',))}: greeting")
        _check_syntax(prompt, str(path.parent / agent.prompt))
        parts = self._parts(agent, document, defaults)
        return agent.model_copy(update={"prompt_template": "\n".join([prompt, *parts])})

    def load_agents(self) -> dict[str, Agent]:
        """All agents by name. Raises CatalogError."""
        return {name: self.load_agent(name) for name in self.names()}

    def where(self, name: str, *at: str | int) -> str:
        """`concierge/agent.yaml:4` for a place in an agent's file."""
        return read_document(self.folder / name / "agent.yaml").where(at)

    def _defaults(self) -> Document | None:
        path = self.folder / "_defaults.yaml"
        return read_document(path) if path.exists() else None

    def _parts(self, agent: Agent, document: Document, defaults: Document | None) -> list[str]:
        """The texts that agents share, each checked like a prompt."""
        names = document if "prompt_parts" in document.content else defaults or document
        where = names.where(("prompt_parts",))
        parts = [self._prompt(self.folder / part, where) for part in agent.prompt_parts]
        for name, part in zip(agent.prompt_parts, parts, strict=True):
            _check_syntax(part, str(self.folder / name))
        return parts

    def _prompt(self, path: Path, where: str) -> str:
        if self.folder.resolve() not in path.resolve().parents:
            raise CatalogError(f"{where}: the prompt must lie in {self.folder}")
        try:
            if path.stat().st_size > MAX_PROMPT_BYTES:
                raise CatalogError(f"{path} is larger than {MAX_PROMPT_BYTES // 1024} KiB")
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CatalogError(f"{where}: the prompt {path} cannot be read: {error}") from None


class ScenarioLoader:
    """Loads scenarios from a folder: the one given, VOICEMESH_SCENARIOS_DIR, or those shipped."""

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = _folder(folder, SCENARIOS_VARIABLE, "scenarios")

    def names(self) -> list[str]:
        """The scenarios there are, sorted."""
        return sorted(self._paths())

    def load_scenario(self, name: str) -> Scenario:
        """One scenario. Raises CatalogError."""
        path = self._paths().get(name)
        if path is None:
            near = suggestion(name, self.names())
            raise CatalogError(f"there is no scenario {name!r} in {self.folder}{near}")
        document = read_document(path)
        content = dict(document.content)
        _same_name(content, name, document.where(("name",)))
        scenario = validated(Scenario, document, content)
        start = scenario.start_agent or scenario.agents[0]
        if start not in scenario.agents:
            near = suggestion(start, scenario.agents)
            where = document.where(("start_agent",))
            raise CatalogError(f"{where}: start_agent {start!r} is not among the agents{near}")
        return scenario.model_copy(update={"start_agent": start})

    def load_scenarios(self) -> dict[str, Scenario]:
        """All scenarios by name. Raises CatalogError."""
        return {name: self.load_scenario(name) for name in self.names()}

    def where(self, name: str, *at: str | int) -> str:
        """`scenarios/banking.yaml:4` for a place in a scenario's file."""
        return read_document(self._paths()[name]).where(at)

    def _paths(self) -> dict[str, Path]:
        flat = {path.stem: path for path in self.folder.glob("*.yaml") if path.stem[0] != "_"}
        nested = {path.parent.name: path for path in self.folder.glob("*/scenario.yaml")}
        return flat | nested


def _folder(given: Path | str | None, variable: str, shipped: str) -> Path:
    chosen = given or os.environ.get(variable)
    folder = Path(chosen) if chosen else _shipped(shipped)
    if not folder.is_dir():
        raise CatalogError(f"{folder} is no folder; set {variable} to one that holds {shipped}")
    return folder


def _shipped(kind: str) -> Path:
    """The folder beside the orchestrator's code, found without importing it."""
    spec = find_spec("orchestrator")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise CatalogError(f"the shipped {kind} are not installed; name a folder")
    return Path(places[0]) / kind


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`; mappings are merged key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _same_name(content: dict[str, Any], name: str, where: str) -> None:
    """A file may repeat its name; another name in it would never be found."""
    if content.setdefault("name", name) != name:
        raise CatalogError(f"{where}: name is {content['name']!r}, but the file is called {name!r}")


def _check_syntax(template: str, where: str) -> None:
    try:
        check_syntax(template)
    except PromptError as error:
        raise CatalogError(f"{where}: {error}") from None
