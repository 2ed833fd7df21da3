"""The deployment's policy file: what tools may do less of than their authors allow. Only tightens.

    tools:
      refund_fee:
        agents: [concierge]
        requires: [mfa]
        limits:
          - {argument: amount, per_day: "50.00"}
      send_card: {disabled: true}

A limit is added to those of the tool, a proof to those it requires; agents must be among those it
allows. Tools of MCP servers are not named here: their own file is the deployment's already.
"""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, field_validator

from meshkit.documents import Document, DocumentError, read_document, suggestion, validated
from toolkit import Limit, Policy, Registry, Tool, ToolkitError
from toolkit.declaring import checked
from toolkit.tool import is_consent

_STRICT = ConfigDict(extra="forbid", frozen=True)


class LimitHere(BaseModel):
    """A further limit. Amounts are whole numbers or quoted decimals, for a YAML float is not exact."""

    model_config = _STRICT

    argument: str = ""
    per_run: Decimal | None = None
    per_call: Decimal | None = None
    per_day: Decimal | None = None
    decimals: int = Field(2, strict=True)

    @field_validator("per_run", "per_call", "per_day", mode="before")
    @classmethod
    def _exact(cls, value: Any) -> Any:
        if isinstance(value, bool | float):
            raise ValueError('write a whole number, or a decimal in quotes: "19.99"')  # noqa: TRY004 (pydantic)
        return value

    def limit(self) -> Limit:
        """As a tool declares it."""
        return Limit(self.argument, self.per_run, self.per_call, self.per_day, self.decimals)


class ToolHere(BaseModel):
    """What holds for one tool besides what its author declared."""

    model_config = _STRICT

    disabled: StrictBool = False
    agents: frozenset[str] | None = Field(None, min_length=1)
    requires: frozenset[str] = frozenset()
    attempts: int | None = Field(None, ge=1, strict=True)
    limits: tuple[LimitHere, ...] = ()


class _File(BaseModel):
    model_config = _STRICT

    tools: dict[str, ToolHere]


def tighten(registry: Registry, path: Path) -> int:
    """Hold the registry's tools to the file; how many it names.

    Raises DocumentError with file, line and key: a policy that cannot be kept is not half kept.
    """
    document = read_document(path)
    named = validated(_File, document, document.content).tools
    tightened = [_tightened(registry, document, name, here) for name, here in sorted(named.items())]
    for tool in tightened:
        registry.add(tool, override=True)
    return len(tightened)


def _tightened(registry: Registry, document: Document, name: str, here: ToolHere) -> Tool:
    if name not in registry:
        known = suggestion(name, (tool.name for tool in registry))
        raise DocumentError(f"{document.where(('tools', name))}: unknown tool {name!r}{known}")
    tool = registry.get(name)
    _check_agents(document, tool, here)
    _check_consent(document, tool, here)
    tighter = dataclasses.replace(tool, policy=_policy(tool.policy, here))
    try:
        return checked(tighter)
    except ToolkitError as error:
        raise DocumentError(f"{document.where(('tools', name))}: {error}") from None


def _policy(declared: Policy, here: ToolHere) -> Policy:
    attempts = [most for most in (declared.attempts, here.attempts) if most is not None]
    return dataclasses.replace(
        declared,
        disabled=declared.disabled or here.disabled,
        agents=declared.agents if here.agents is None else here.agents,
        requires=declared.requires | here.requires,
        attempts=min(attempts, default=None),
        limits=(*declared.limits, *(limit.limit() for limit in here.limits)),
    )


def _check_agents(document: Document, tool: Tool, here: ToolHere) -> None:
    """A tool for some agents cannot be given to others here."""
    allowed = tool.policy.agents
    more = sorted((here.agents or frozenset()) - allowed) if allowed else []
    if more:
        raise DocumentError(
            f"{document.where(('tools', tool.name, 'agents'))}: {tool.name} is not for agent"
            f" {more[0]!r}; this file can only tighten, and it is for {', '.join(sorted(allowed))}"
        )


def _check_consent(document: Document, tool: Tool, here: ToolHere) -> None:
    """Consent needs a question, which only the author can write."""
    asked = sorted(level for level in here.requires - tool.policy.requires if is_consent(level))
    if asked:
        raise DocumentError(
            f"{document.where(('tools', tool.name, 'requires'))}: {tool.name} declares no question"
            f" for {asked[0]!r}; write `consent` beside the tool"
        )
