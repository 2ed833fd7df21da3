"""What a policy asks of the caller, and whether what it declares can be kept. Pure."""

from __future__ import annotations

import string
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from toolkit.limits import problem_of
from toolkit.tool import Policy, is_consent

SHALL_I = "Shall I go ahead?"
YES_OR_NO = f"{SHALL_I} Say yes or no, or press 1 for yes."
MAX_QUESTION = 400
"""Characters of a question; one that is longer is not listened to."""


def policy_problem(policy: Policy, parameters: Mapping[str, Any]) -> str:
    """What is wrong with limits, confirmation or consent; empty if nothing is."""
    return (
        _limits_problem(policy, parameters)
        or _confirm_problem(policy, parameters)
        or _consent_problem(policy)
    )


def question_of(template: str, arguments: Mapping[str, Any]) -> str:
    """The sentence that states the act on these arguments, then the question.

    Raises ValueError if it would be too long to be said.
    """
    stated = template.format_map({name: _spoken(value) for name, value in arguments.items()})
    if len(stated) > MAX_QUESTION:
        raise ValueError("the question is too long to be said")
    return f"{' '.join(stated.split())} {YES_OR_NO}"


def _limits_problem(policy: Policy, parameters: Mapping[str, Any]) -> str:
    for limit in policy.limits:
        if problem := problem_of(limit):
            return problem
        if limit.argument and limit.argument not in parameters.get("required", ()):
            return f"the limited argument {limit.argument!r} must be one that is required"
        if limit.per_day is not None and not policy.requires:
            return "per_day counts for a verified client, so it needs `requires`"
    return ""


def _confirm_problem(policy: Policy, parameters: Mapping[str, Any]) -> str:
    if not policy.confirm:
        return ""
    try:
        parts = list(string.Formatter().parse(policy.confirm))
    except ValueError as error:
        return f"confirm is not right: {error}"
    named = {name for _, name, _, _ in parts if name is not None}
    plain = all(not form and not turn for _, name, form, turn in parts if name is not None)
    required = set(parameters.get("required", ()))
    if not plain or not named <= required:
        return "confirm names required arguments in braces, and nothing else: {amount}"
    if policy.attempts is not None:
        return "confirm and attempts do not go together, for a question would count as an attempt"
    unsaid = {limit.argument for limit in policy.limits} - {""} - named
    return f"confirm must say {{{min(unsaid)}}}, which is limited" if unsaid else ""


def _consent_problem(policy: Policy) -> str:
    levels = [level for level in policy.requires if is_consent(level)]
    if len(levels) > 1:
        return "one consent can be asked for at a time"
    if bool(policy.consent) != bool(levels):
        return "`consent` is the question for a level `consent` among `requires`: declare both"
    if levels and len(policy.requires) < 2:
        return "consent is a verified client's: `requires` needs what proves who they are, too"
    if len(policy.consent) > MAX_QUESTION:
        return f"consent is over {MAX_QUESTION} characters"
    return ""


def _spoken(value: object) -> str:
    """A value as a voice says it: 20.00 and 20.0 are twenty, an enum is its value."""
    value = getattr(value, "value", value)
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        whole = value == value.to_integral_value()
        return format(value.quantize(Decimal(1)) if whole else value, "f")
    return " ".join(str(value).split())
