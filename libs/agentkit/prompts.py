"""Greetings and prompts, rendered in a sandbox: a variable that nobody set is an error, not a gap."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_CHARACTERS = 100_000

# Plain text for a model or a voice: escaping for HTML would put entities into both.
_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=jinja2.StrictUndefined,
    autoescape=False,
    trim_blocks=True,
    lstrip_blocks=True,
)


class PromptError(Exception):
    """A template cannot be rendered. The message has the line and what was wrong with it."""


def render(template: str, variables: Mapping[str, Any]) -> str:
    """The template with its variables, without blanks at its ends. Raises PromptError."""
    try:
        text = _compiled(template).render(variables).strip()
    except jinja2.TemplateSyntaxError as error:
        raise PromptError(f"line {error.lineno}: {error.message}") from None
    except jinja2.UndefinedError as error:
        raise PromptError(
            f"{error.message}; set it under template_vars, or give a default"
        ) from None
    except Exception as error:
        raise PromptError(f"cannot be rendered: {type(error).__name__}: {error}") from None
    if len(text) > MAX_CHARACTERS:
        raise PromptError(f"renders to more than {MAX_CHARACTERS} characters")
    return text


def check_syntax(template: str) -> None:
    """Raise PromptError if this is no Jinja, without rendering it."""
    try:
        _compiled(template)
    except jinja2.TemplateSyntaxError as error:
        raise PromptError(f"line {error.lineno}: {error.message}") from None


@lru_cache(maxsize=512)
def _compiled(template: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(template)
