"""`@tool`: a typed function, or method, becomes a Tool.

    class Arguments(BaseModel):
        city: str = Field(description="Town to look for.")

    @tool("Find a branch. For example: where is a branch; is one near me", effect=Effect.READ_ONLY)
    async def find_branch(args: Arguments) -> ToolResult: ...

Declaring registers nothing: a registry collects the tools of a module or an object (`tools_of`).
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection
from typing import Any

from pydantic import BaseModel

from toolkit.asking import policy_problem
from toolkit.errors import ToolkitError
from toolkit.limits import Limit
from toolkit.schema import schema_of_model
from toolkit.tool import (
    DEFAULT_CONCURRENCY,
    DEFAULT_TIMEOUT_SECONDS,
    Effect,
    Policy,
    Tool,
    ToolContext,
)

Body = Callable[..., Any]


def tool(
    description: str,
    *,
    name: str = "",
    effect: Effect = Effect.EFFECTFUL,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    concurrency: int = DEFAULT_CONCURRENCY,
    claimed: bool = False,
    cancellable: bool = False,
    long_running: bool = False,
    tags: Collection[str] = (),
    requires: Collection[str] = (),
    proves: str = "",
    agents: Collection[str] = (),
    client_argument: str = "",
    attempts: int | None = None,
    shows: Collection[str] | None = None,
    limits: Collection[Limit] = (),
    confirm: str = "",
    consent: str = "",
) -> Callable[[Body], Tool]:
    """Declare a tool. Its name is the function's unless given; its arguments are a pydantic model.

    The function takes the model (or nothing) and, if it wants one, a ToolContext after it. What the
    parameters mean is said at Tool and Policy. Raises ToolkitError.
    """
    policy = Policy(
        requires=frozenset(requires),
        proves=proves,
        agents=frozenset(agents),
        client_argument=client_argument,
        attempts=attempts,
        shows=None if shows is None else frozenset(shows),
        limits=tuple(limits),
        confirm=" ".join(confirm.split()),
        consent=" ".join(consent.split()),
    )

    def declare(body: Body) -> Tool:
        chosen = name or body.__name__
        model, takes_context, is_method = _parameters(chosen, body)
        declared = Tool(
            name=chosen,
            schema=schema_of_model(chosen, " ".join(description.split()), model),
            body=body,
            arguments=model,
            takes_context=takes_context,
            bound=not is_method,
            tags=frozenset(tags),
            effect=effect,
            timeout_seconds=timeout_seconds,
            concurrency=concurrency,
            claimed=claimed,
            cancellable=cancellable,
            long_running=long_running,
            policy=policy,
        )
        return checked(declared)

    return declare


def checked(declared: Tool) -> Tool:
    """The tool, if what it declares can be kept. Raises ToolkitError."""
    problem = _problem(declared)
    if problem:
        raise ToolkitError(f"tool {declared.name!r}: {problem}")
    return declared


def takes_context(body: Body) -> bool:
    """Whether a body that takes a dict takes a ToolContext after it."""
    return len(_own_parameters(body)[0]) > 1


def _problem(declared: Tool) -> str:
    argument, policy = declared.policy.client_argument, declared.policy
    if not 0 < declared.timeout_seconds <= 3600:
        return "timeout_seconds must be over 0 and at most 3600"
    if declared.concurrency < 1:
        return "concurrency must be at least 1"
    if declared.cancellable and not declared.is_async:
        return "cancellable needs a coroutine function, because a thread cannot be stopped"
    if policy.attempts is not None and policy.attempts < 1:
        return "attempts must be at least 1, or None"
    if argument and argument not in declared.parameters.get("properties", {}):
        return f"client_argument {argument!r} is not one of its arguments"
    if argument and not policy.requires:
        return "client_argument needs `requires`, or there is no verified client to compare with"
    return policy_problem(policy, declared.parameters)


def _parameters(name: str, body: Body) -> tuple[type[BaseModel] | None, bool, bool]:
    parameters, is_method = _own_parameters(body)
    hints = _hints(name, body)
    kinds = [hints.get(parameter.name) for parameter in parameters]
    context = bool(kinds) and kinds[-1] is ToolContext
    models = kinds[:-1] if context else kinds
    if len(models) > 1 or not all(_is_model(kind) for kind in models):
        raise ToolkitError(
            f"tool {name!r}: its function takes one pydantic model, then perhaps a ToolContext,"
            " each with its annotation"
        )
    if not models and context:
        raise ToolkitError(f"tool {name!r}: a ToolContext comes after the arguments; take a model")
    return (typing.cast(type[BaseModel], models[0]) if models else None), context, is_method


def _own_parameters(body: Body) -> tuple[list[inspect.Parameter], bool]:
    parameters = list(inspect.signature(body).parameters.values())
    is_method = bool(parameters) and parameters[0].name == "self"
    return parameters[is_method:], is_method


def _hints(name: str, body: Body) -> dict[str, Any]:
    try:
        return typing.get_type_hints(body)
    except NameError as error:
        raise ToolkitError(
            f"tool {name!r}: {error}; its annotations must be names of its module"
        ) from None


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
