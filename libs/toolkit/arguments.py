"""What the model wrote as arguments, checked; refusals are phrased for the model to mend. Pure.

No message repeats a value: arguments may be names and digits that belong in no prompt or log.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from jsonschema import Draft202012Validator, ValidationError
from pydantic import BaseModel
from pydantic import ValidationError as ModelError
from referencing import Registry as Schemas

from toolkit.tool import Tool

MAX_ARGUMENT_BYTES = 32 * 1024
MAX_PROBLEMS = 5
_NO_SCHEMAS: Schemas[Any] = Schemas()


class ArgumentsInvalid(Exception):
    """The arguments cannot be used. The message tells the model what to mend."""


def parse_arguments(text: str) -> dict[str, Any]:
    """The arguments as the model wrote them; an empty text is no arguments.

    Raises ArgumentsInvalid.
    """
    if len(text) > MAX_ARGUMENT_BYTES:
        _refuse("The arguments are too long. Send only what the tool asks for.")
    try:
        parsed = _DECODER.decode(text) if text.strip() else {}
        # What cannot go over the wire as UTF-8, such as half a surrogate pair, ends here.
        (json.dumps(parsed, ensure_ascii=False) if "\\u" in text else text).encode()
    except (ValueError, RecursionError):
        _refuse("The arguments are not valid JSON. Write one JSON object, and nothing around it.")
    if not isinstance(parsed, dict):
        _refuse("The arguments must be one JSON object, with the tool's arguments as its fields.")
    return parsed


def check_arguments(tool: Tool, arguments: Mapping[str, Any]) -> Any:
    """What the body is given: the tool's model, or the same arguments as a dict.

    A null for a field that need not be there counts as its absence. Raises ArgumentsInvalid.
    """
    arguments = _without_nulls(tool, arguments)
    errors = _validator(tool).iter_errors(arguments)
    problems = list(dict.fromkeys(_said(tool, error) for error in _first(errors)))
    if problems:
        _refuse(f"The arguments of {tool.name} are not right: {'; '.join(problems)}. {_MEND}")
    if tool.arguments is None:
        return arguments
    return _modelled(tool, tool.arguments, arguments)


def _without_nulls(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    kept = tool.parameters.get("required", ())
    known = tool.parameters.get("properties", {})
    return {
        name: value
        for name, value in arguments.items()
        if value is not None or name in kept or name not in known
    }


_MEND = "Mend them, or ask the caller for what is missing, and call it again."


def _modelled(tool: Tool, model: type[BaseModel], arguments: Mapping[str, Any]) -> BaseModel:
    try:
        return model.model_validate(arguments)
    except ModelError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        problems = [f"`{'.'.join(map(str, e['loc']))}`: {e['msg']}" for e in found[:MAX_PROBLEMS]]
        _refuse(f"The arguments of {tool.name} are not right: {'; '.join(problems)}. {_MEND}")


def _first(errors: Iterable[ValidationError]) -> list[ValidationError]:
    return sorted(errors, key=lambda error: list(map(str, error.absolute_path)))[:MAX_PROBLEMS]


@functools.lru_cache(maxsize=1024)
def _validator(tool: Tool) -> Draft202012Validator:
    # With a registry of its own it fetches nothing that a schema refers to.
    return Draft202012Validator(tool.parameters, registry=_NO_SCHEMAS)


def _said(tool: Tool, error: ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    name = f"`{where}`" if where else "the object"
    rule: Any = error.validator_value
    instance: Any = error.instance
    match error.validator:
        case "required":
            missing = [field for field in rule if field not in instance]
            return "missing: " + ", ".join(f"`{field}`" for field in missing)
        case "additionalProperties":
            return f"{name} has fields it does not take; it takes {_known(error)}"
        case "type":
            return f"{name} must be of type {_types(rule)}"
        case "enum":
            return f"{name} must be one of {', '.join(json.dumps(value) for value in rule)}"
        case "anyOf" | "oneOf":
            return f"{name} has none of the forms allowed{_meaning(error)}"
        case "pattern":
            return f"{name} does not have the required form{_meaning(error)}"
        case "minimum" | "maximum" | "minLength" | "maxLength" | "minItems" | "maxItems":
            return f"{name} breaks its limit, {error.validator} {rule}"
    return f"{name} breaks the rule {error.validator}{_meaning(error)}"


def _known(error: ValidationError) -> str:
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    known = ", ".join(f"`{field}`" for field in schema.get("properties", {}))
    return known or "none"


def _types(rule: object) -> str:
    return " or ".join(rule) if isinstance(rule, list) else str(rule)


def _meaning(error: ValidationError) -> str:
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    meaning = str(schema.get("description", "")).rstrip(".")
    return f" ({meaning})" if meaning else ""


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _refuse(message: str) -> NoReturn:
    raise ArgumentsInvalid(message)
