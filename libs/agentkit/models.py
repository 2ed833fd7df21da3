"""What may be written in agent.yaml and in a scenario. A key that is not here is refused."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("names are lower case: a letter, then letters, digits and underscores")
    return name


Name = Annotated[str, AfterValidator(_checked_name)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Voice(_Strict):
    """A speaking voice. Empty: the engine's default."""

    name: str = ""
    """The provider's name of it."""
    style: str = ""
    rate: str = ""
    """Relative, such as `-4%`."""
    pitch: str = ""
    """Relative, such as `+2st`."""


class ModelOptions(_Strict):
    """How the model is asked."""

    name: str = ""
    """Model or deployment; empty: the deployment's setting."""
    temperature: float | None = Field(None, ge=0, le=2)
    """None: the model's own default."""
    top_p: float | None = Field(None, gt=0, le=1)
    max_tokens: int = Field(1024, ge=1, le=32768)
    """Most tokens of one answer."""


class Agent(_Strict):
    """An agent, as its YAML says over the folder's `_defaults.yaml`."""

    name: Name
    """The folder's name, unless the file says the same."""
    description: str = ""
    greeting: str = ""
    """Jinja; said when the agent takes the floor at the start of a call. Empty: it waits."""
    apology: str = "I am sorry, something went wrong on my side. Could you say that again?"
    """Said when a turn has to be given up."""
    prompt: str = "prompt.jinja"
    """File beside the YAML that holds the system prompt, Jinja."""
    prompt_parts: tuple[str, ...] = ()
    """Files of the agents' folder, such as `_tools.jinja`, whose text follows the prompt's."""
    tools: tuple[str, ...] = ()
    """Names of the tools that the model is offered."""
    voice: Voice = Voice()
    model: ModelOptions = ModelOptions()
    template_vars: dict[str, Any] = Field(default_factory=dict)
    """Variables for greeting and prompt."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """For the author; nothing reads it."""
    prompt_template: str = Field("", exclude=True, repr=False)
    """The prompt file's text. Filled by the loader, not written in YAML."""


class Scenario(_Strict):
    """A set of agents for a kind of call."""

    name: Name
    description: str = ""
    agents: tuple[Name, ...] = Field(min_length=1)
    """Who may take part."""
    start_agent: str = ""
    """Who answers; empty: the first of `agents`."""
    template_vars: dict[str, Any] = Field(default_factory=dict)
    """Variables for every agent's greeting and prompt, over the agent's own."""
