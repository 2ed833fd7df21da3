"""The deployment's policy file: what tools may do less of than their authors allow. Only tightens.

    tools:
      refund_fee:
        agents: [concierge]
        requires: [mfa]
        limits:
          - {argument: amount, per_day: "50.00"}
      send_card: {disabled: true}
      crm_close_account: {confirm: "Close the account {account} for good."}

A limit is added to those of the tool, a proof to those it requires; agents must be among those it
allows, fields that are shown among those it shows. A question is added only where the author asks
none. Tools of MCP servers are named as they are called; they are held to it whenever they come.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
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
    confirm: str = ""
    consent: str = ""
    shows: frozenset[str] | None = None
    timeout_seconds: float | None = Field(None, gt=0, le=3600)
    concurrency: int | None = Field(None, ge=1, strict=True)


class _File(BaseModel):
    model_config = _STRICT

    tools: dict[str, ToolHere]


Coming = Callable[[str], Policy | None]
"""What is declared for a tool that may be served later, by its name; None: there will be none."""


def _none_comes(name: str) -> Policy | None:
    return None


class PolicyFile:
    """A file that was read; `hold` applies it."""

    def __init__(self, document: Document, named: Mapping[str, ToolHere]) -> None:
        self._document, self._named = document, named

    def hold(self, registry: Registry, coming: Coming = _none_comes) -> int:
        """Hold the registry's tools to the file; how many it names.

        `coming` knows tools that are not there yet. Raises DocumentError with file, line and key: a
        policy that cannot be kept is not half kept.
        """
        there = [name for name in sorted(self._named) if name in registry]
        for name in sorted(self._named.keys() - set(there)):
            self._check_coming(name, coming(name), registry)
        tightened = [self.tightened(registry.get(name)) for name in there]
        for tool in tightened:
            registry.add(tool, override=True)
        return len(self._named)

    def tightened(self, tool: Tool) -> Tool:
        """The tool, held to what the file says of it. Raises DocumentError."""
        here = self._named.get(tool.name)
        if here is None:
            return tool
        self._check(tool.name, tool.policy, here)
        tighter = dataclasses.replace(
            tool,
            policy=_policy(tool.policy, here),
            timeout_seconds=min(tool.timeout_seconds, here.timeout_seconds or tool.timeout_seconds),
            concurrency=min(tool.concurrency, here.concurrency or tool.concurrency),
        )
        try:
            return checked(tighter)
        except ToolkitError as error:
            raise DocumentError(f"{self._document.where(('tools', tool.name))}: {error}") from None

    def _check_coming(self, name: str, declared: Policy | None, registry: Registry) -> None:
        if declared is None:
            known = suggestion(name, (tool.name for tool in registry))
            raise DocumentError(
                f"{self._document.where(('tools', name))}: unknown tool {name!r}{known}"
            )
        self._check(name, declared, self._named[name])

    def _check(self, name: str, declared: Policy, here: ToolHere) -> None:
        for key, problem in _problems(declared, here):
            if problem:
                where = self._document.where(("tools", name, key))
                raise DocumentError(f"{where}: {name} {problem}")


NOTHING_SAID = PolicyFile(Document(Path(), {}, {}), {})
"""Of a deployment without a file."""


def read_policy(path: Path) -> PolicyFile:
    """The file. Raises DocumentError."""
    document = read_document(path)
    return PolicyFile(document, validated(_File, document, document.content).tools)


def tighten(registry: Registry, path: Path) -> int:
    """Hold the registry's tools to the file; how many it names. Raises DocumentError."""
    return read_policy(path).hold(registry)


def _policy(declared: Policy, here: ToolHere) -> Policy:
    attempts = [most for most in (declared.attempts, here.attempts) if most is not None]
    return dataclasses.replace(
        declared,
        disabled=declared.disabled or here.disabled,
        agents=declared.agents if here.agents is None else here.agents,
        requires=declared.requires | here.requires,
        attempts=min(attempts, default=None),
        limits=(*declared.limits, *(limit.limit() for limit in here.limits)),
        confirm=declared.confirm or " ".join(here.confirm.split()),
        consent=declared.consent or " ".join(here.consent.split()),
        shows=declared.shows if here.shows is None else here.shows,
    )


def _problems(declared: Policy, here: ToolHere) -> list[tuple[str, str]]:
    """What of it would loosen, or cannot be kept: by key, with nothing where all is right."""
    return [
        ("agents", _more_agents(declared.agents, here.agents)),
        ("requires", _no_question(declared, here)),
        ("confirm", _OWN.format("confirm") * bool(here.confirm and declared.confirm)),
        ("consent", _OWN.format("consent") * bool(here.consent and declared.consent)),
        ("shows", _more_shown(declared.shows, here.shows)),
    ]


_OWN = "declares its own `{}`, which this file cannot change"


def _no_question(declared: Policy, here: ToolHere) -> str:
    """Consent is proved by the answer to a question."""
    asked = sorted(level for level in here.requires - declared.requires if is_consent(level))
    if not asked or here.consent or declared.consent:
        return ""
    return f"declares no question for {asked[0]!r}; write `consent`"


def _more_agents(allowed: frozenset[str], here: frozenset[str] | None) -> str:
    """A tool for some agents cannot be given to others here."""
    more = sorted((here or frozenset()) - allowed) if allowed else []
    if not more:
        return ""
    given = ", ".join(sorted(allowed))
    return f"is not for agent {more[0]!r}; this file can only tighten, and it is for {given}"


def _more_shown(shown: frozenset[str] | None, here: frozenset[str] | None) -> str:
    more = sorted(here - shown) if here is not None and shown is not None else []
    return f"does not show {more[0]!r}; this file can only tighten" if more else ""
