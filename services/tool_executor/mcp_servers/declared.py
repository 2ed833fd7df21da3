"""The file of MCP servers that a deployment allows, checked before anything is started.

    servers:
      crm:
        url: https://crm.example/mcp
        headers: {Authorization: CRM_AUTHORIZATION}   # header: the variable that holds its value
        tools:
          find_customer: {effect: read_only, requires: [identity], client_argument: client_id}
      desk:
        command: [python, -m, desk_server]
        environment: {DESK_TOKEN: DESK_TOKEN}         # its variable: ours that holds the value
        tools:
          refund:
            confirm: "Refund {amount} dollars to your account."
            requires: [identity]
            limits: [{argument: amount, per_day: 100}]
          "*": {agents: [concierge]}                  # every tool that is not named

Whatever `@tool` can declare can be declared here, but not `proves`: what a caller has proved is not
for another system to say. A tool of which no effect is declared is effectful, whatever hints its
server gives, unless the deployment says `believe_hints: true` of the server. Secrets stand in
environment variables and never in the file. A tool that is not named, with no `"*"`, is not served.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from meshkit.documents import DocumentError, read_document, validated
from tool_executor.policy_file import LimitHere
from toolkit import Effect, Policy
from toolkit.tool import DEFAULT_CONCURRENCY, DEFAULT_TIMEOUT_SECONDS

EVERY_OTHER = "*"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""Name of an environment variable."""
NonEmpty = Annotated[str, StringConstraints(min_length=1, max_length=2048)]


class DeclaredTool(BaseModel):
    """Under what a tool of a server is served; the words are those of `@tool`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    effect: Effect = Effect.EFFECTFUL
    """What it does, whatever its server says."""
    claimed: bool = False
    cancellable: bool = False
    long_running: bool = False
    timeout_seconds: float = Field(DEFAULT_TIMEOUT_SECONDS, gt=0, le=3600)
    concurrency: int = Field(DEFAULT_CONCURRENCY, ge=1, le=1000)
    requires: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    client_argument: str = ""
    attempts: int | None = Field(None, ge=1)
    shows: frozenset[str] | None = None
    limits: tuple[LimitHere, ...] = ()
    confirm: str = ""
    consent: str = ""
    disabled: bool = False
    tags: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _scoped(self) -> DeclaredTool:
        if self.client_argument and not self.requires:
            raise ValueError("client_argument needs `requires`, or no client is verified")
        return self

    def policy(self) -> Policy:
        """The same, as the executor enforces it."""
        return Policy(
            requires=self.requires,
            agents=self.agents,
            client_argument=self.client_argument,
            attempts=self.attempts,
            shows=self.shows,
            limits=tuple(limit.limit() for limit in self.limits),
            confirm=" ".join(self.confirm.split()),
            consent=" ".join(self.consent.split()),
            disabled=self.disabled,
        )

    @property
    def says_effect(self) -> bool:
        """Whether the file says what the tool does."""
        return "effect" in self.model_fields_set


class DeclaredServer(BaseModel):
    """One server: a `command` that is started and spoken to by its streams, or a `url`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: tuple[NonEmpty, ...] = ()
    environment: Mapping[Variable, Variable] = Field(default_factory=dict)
    url: str = Field("", pattern=r"^(https?://[^/@\s]+(/\S*)?)?$")
    headers: Mapping[NonEmpty, Variable] = Field(default_factory=dict)
    believe_hints: bool = False
    """Whether its annotations say what a tool does, where this file does not."""
    tools: Mapping[NonEmpty, DeclaredTool] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_way(self) -> DeclaredServer:
        if bool(self.command) == bool(self.url):
            raise ValueError("give either command or url")
        if self.environment and not self.command:
            raise ValueError("environment is for a server with command; use headers with url")
        if self.headers and not self.url:
            raise ValueError("headers are for a server with url; use environment with command")
        return self

    def tool(self, name: str) -> DeclaredTool | None:
        """What is declared for a tool by the server's own name of it; None: it is not served."""
        return self.tools.get(name) or self.tools.get(EVERY_OTHER)


def declared_policy(servers: Mapping[str, DeclaredServer], name: str) -> Policy | None:
    """Under what a tool called `name` would be served, should its server offer it."""
    for server, declared in servers.items():
        tool = declared.tool(name.removeprefix(f"{server}_"))
        if name.startswith(f"{server}_") and tool is not None:
            return tool.policy()
    return None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    servers: dict[str, DeclaredServer]


def read_servers(path: Path, variables: Mapping[str, str]) -> dict[str, DeclaredServer]:
    """The servers of a file, by name. Raises DocumentError, by file and line.

    `variables` is the environment: every variable that the file names must be in it.
    """
    document = read_document(path)
    servers = validated(_File, document, document.content).servers
    for name, server in servers.items():
        where = document.where(("servers", name))
        if not _NAME.fullmatch(name):
            raise DocumentError(f"{where}: server {name!r}: use lower-case letters, digits and _")
        named = [*server.environment.values(), *server.headers.values()]
        unset = sorted(variable for variable in named if not variables.get(variable))
        if unset:
            raise DocumentError(f"{where}: server {name!r}: set {' and '.join(unset)} first")
    return servers
