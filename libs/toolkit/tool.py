"""What a tool is: its schema for the model, its body, and what its author declares beside it.

The declarations are for whoever runs the tool. The tool-executor enforces them; nothing here does.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from toolkit.limits import Limit

DEFAULT_TIMEOUT_SECONDS = 10.0
DEFAULT_CONCURRENCY = 16
CONSENT = "consent"
"""The level that a caller proves by saying yes."""


class Effect(enum.StrEnum):
    """What running a tool does to the world."""

    READ_ONLY = "read_only"
    """Only reads; may be run again, and before the caller's turn is certain."""
    IDEMPOTENT = "idempotent"
    """Writes, but twice is as once; may be run again."""
    EFFECTFUL = "effectful"
    """Acts; is never run again by itself. What an author who says nothing gets."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a run proved of the caller. The executor writes it down; a tool cannot."""

    client_id: str
    """Whom the caller proved to be."""
    method: str
    """How, such as `name_and_last4`. Never the secret itself."""


Report = Callable[[str, int], None]
"""Takes a message and a percentage."""


def _unheard(message: str, percent: int) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """On whose behalf a tool runs. All empty when it is run outside a session."""

    session: str = ""
    """`sessions/{session}`."""
    agent: str = ""
    """`agents/{agent}`."""
    request_id: str = ""
    """The same on every retry of this run, on any pod: the key for an effect that must be once."""
    client_id: str = ""
    """Whom the caller has proved to be. Empty before that."""
    report: Report = field(default=_unheard, repr=False, compare=False)
    """Where `progress` goes; set by whoever runs the tool."""

    def progress(self, message: str, percent: int = 0) -> None:
        """Tell how far a long tool has got, in a short sentence that a voice can read to the caller.

        Costs next to nothing and never waits; may be called from any thread. Heard only of a tool
        that declares `long_running`, and not more often than is pleasant to hear.
        """
        self.report(message, percent)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answers. `message` is spoken, so it is written for a voice to read.

    A tool may return a plain mapping instead; `success` is then taken as true unless it says
    otherwise.
    """

    success: bool
    message: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the result, for the model."""
    proof: Proof | None = None
    """Only of a tool that declares `proves`."""

    def as_fields(self) -> dict[str, Any]:
        """The seed's convention: `{success, message, ...}`."""
        return {"success": self.success, "message": self.message, **self.fields}


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may run a tool, when, and what the model sees of its result."""

    requires: frozenset[str] = frozenset()
    """What must be proved before: `identity`, `mfa`, `business_caller`, `consent`, or others."""
    proves: str = ""
    """What a success with a Proof proves; empty if the tool proves nothing."""
    agents: frozenset[str] = frozenset()
    """Names of the agents that may call it; empty: all."""
    client_argument: str = ""
    """The argument that names a client. It must be the verified one, and is filled in if absent."""
    attempts: int | None = None
    """Most unsuccessful runs in a session; None: no limit."""
    shows: frozenset[str] | None = None
    """Fields of the result that the model sees beside success and message; None: all."""
    limits: tuple[Limit, ...] = ()
    """How much it may do; all of them hold."""
    confirm: str = ""
    """For an act that cannot be undone: what is asked before it, as a sentence that states the act,
    with arguments in braces: `Refund {amount} dollars to your account.` It runs only after the
    caller heard that and said yes, for exactly these arguments, once. Empty: it does not ask."""
    consent: str = ""
    """The question by whose yes the level `consent`, or `consent:{topic}`, that it requires is
    proved."""
    disabled: bool = False
    """Switched off. For the deployment's policy file; an author leaves the tool out."""

    @property
    def consent_level(self) -> str:
        """The level that `consent` proves; empty if it requires none."""
        return next((level for level in sorted(self.requires) if is_consent(level)), "")


def is_consent(level: str) -> bool:
    """Whether a level is proved by the caller's yes to a question."""
    return level.partition(":")[0] == CONSENT


OPEN = Policy()
"""Anyone, always, everything shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """One tool. Made by `@tool` or `register_tool`; equal only to itself."""

    name: str
    schema: Mapping[str, Any]
    """OpenAI function schema: name, description, parameters."""
    body: Callable[..., Any]
    arguments: type[BaseModel] | None = None
    """The model that the body takes; None: it takes a dict."""
    takes_context: bool = False
    """Whether the body takes a ToolContext after its arguments."""
    bound: bool = True
    """False for a method that has no instance yet; see `tools_of`."""
    tags: frozenset[str] = frozenset()
    effect: Effect = Effect.EFFECTFUL
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    concurrency: int = DEFAULT_CONCURRENCY
    """Most runs at once in one process."""
    claimed: bool = False
    """Whether a run is asked for once in the whole mesh, and its result kept. What is effectful
    always is; an idempotent tool may declare it, to spare a retry on another pod the work."""
    cancellable: bool = False
    """Whether it may be cancelled at any `await` and leaves nothing half done: it is stopped when
    the caller hangs up or interrupts. Only for a coroutine function; a thread cannot be stopped."""
    long_running: bool = False
    """Whether it takes so long that it tells its progress; it may finish after the turn that called
    it, and the agent tells its result later."""
    policy: Policy = OPEN

    @property
    def description(self) -> str:
        """What the model is told of it."""
        return str(self.schema.get("description", ""))

    @property
    def parameters(self) -> Mapping[str, Any]:
        """JSON Schema of the arguments."""
        parameters: Mapping[str, Any] = self.schema["parameters"]
        return parameters

    @property
    def is_async(self) -> bool:
        """Whether the body is a coroutine function, or an object that is called as one."""
        call = getattr(self.body, "__call__", None)  # noqa: B004 (asked for itself, not if it is)
        return inspect.iscoroutinefunction(self.body) or inspect.iscoroutinefunction(call)

    def as_function(self) -> dict[str, Any]:
        """The tool as the OpenAI API takes it."""
        return {"type": "function", "function": dict(self.schema)}

    def bind(self, instance: object) -> Tool:
        """A tool declared on a method, for this instance."""
        method = self.body.__get__(instance)
        return dataclasses.replace(self, body=method, bound=True)
