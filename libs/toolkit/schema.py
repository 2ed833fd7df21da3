"""OpenAI function schemas: derived from a pydantic model, or given by hand and checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator, SchemaError
from pydantic import BaseModel

from toolkit.errors import ToolkitError

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}


def check_name(name: str) -> str:
    """The name, if the OpenAI API takes it. Raises ToolkitError."""
    if _NAME.fullmatch(name) is None:
        raise ToolkitError(f"tool {name!r}: a name has 1 to 64 of A-Z a-z 0-9 _ -")
    return name


def schema_of_model(name: str, description: str, model: type[BaseModel] | None) -> dict[str, Any]:
    """The function schema of a tool whose arguments are `model`; None: it takes none.

    References are written out; generated titles, and null as the way to leave a field out, are left
    out, because models read what is there.
    """
    parameters = _of_model(model) if model else {**_NO_PARAMETERS, "additionalProperties": False}
    return {"name": check_name(name), "description": description, "parameters": parameters}


def checked_schema(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema written by hand, complete. Raises ToolkitError.

    A missing `name` or `parameters` is filled in, as the OpenAI API does.
    """
    check_name(name)
    if schema.get("name", name) != name:
        raise ToolkitError(f"tool {name!r}: its schema is named {schema['name']!r}; use one name")
    parameters = schema.get("parameters") or _NO_PARAMETERS
    if not isinstance(parameters, Mapping) or parameters.get("type") != "object":
        raise ToolkitError(f'tool {name!r}: parameters must be a JSON Schema of "type": "object"')
    try:
        Draft202012Validator.check_schema(parameters)
    except SchemaError as error:
        where = ".".join(str(part) for part in error.absolute_path) or "parameters"
        raise ToolkitError(f"tool {name!r}: {where}: {error.message}") from None
    return {"description": "", **schema, "name": name, "parameters": dict(parameters)}


def _of_model(model: type[BaseModel]) -> dict[str, Any]:
    raw = model.model_json_schema()
    definitions = raw.pop("$defs", {})
    parameters: dict[str, Any] = _inlined(raw, definitions, ())
    parameters.pop("description", None)
    parameters.setdefault("properties", {})
    return parameters


def _inlined(node: Any, definitions: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions, within) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _resolved(node, definitions, within)
    kept = {key: value for key, value in node.items() if not _is_generated_title(key, value)}
    plain = _without_null(kept)
    return {key: _inlined(value, definitions, within) for key, value in plain.items()}


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """`X | None = None` as an optional X: whoever leaves it out need not say null."""
    forms = node.get("anyOf")
    if not isinstance(forms, list) or {"type": "null"} not in forms or len(forms) != 2:
        return node
    form = next(form for form in forms if form != {"type": "null"})
    beside = {key: value for key, value in node.items() if key != "anyOf"}
    if beside.get("default", ...) is None:
        del beside["default"]
    return {**form, **beside}


def _resolved(node: dict[str, Any], definitions: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    target = str(node["$ref"]).rpartition("/")[2]
    if target in within:
        raise ToolkitError(f"arguments: {target} contains itself, which a function schema cannot")
    beside = {key: value for key, value in node.items() if key != "$ref"}
    found = {**definitions[target], **beside}
    return _inlined(found, definitions, (*within, target))


def _is_generated_title(key: str, value: object) -> bool:
    """A title is a string; a property that is called `title` is a schema."""
    return key == "title" and isinstance(value, str)
