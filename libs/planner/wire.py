"""The requests of the OpenAI wire, checked and typed; and the shape of its errors. Pure.

Only what the planner can honour is accepted. What shapes a language model's sampling
(temperature, max_tokens, seed and the like) has no meaning here and is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.conversation import Message, Tool, ToolCall
from planner.fields import BadRequest, named, optional, required_text, text_within
from planner.toolbox import AUTO, NONE, REQUIRED

MODEL = "voicemesh-planner"
WHAT_IT_IS = (
    "A planner, not a language model: sentence embeddings choose among the tools offered, rules fill"
    " their arguments, templates speak. For demo, tests and offline work."
)
EMBEDDING_MODEL = "all-MiniLM-L6-v2"

MAX_MESSAGES = 512
MAX_TOOLS = 64
MAX_INPUTS = 256
"""Texts of one embeddings request."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat completion that is asked for."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    choice: str = AUTO
    model: str = MODEL
    stream: bool = False
    include_usage: bool = False


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """Texts to embed."""

    inputs: tuple[str, ...]
    model: str = EMBEDDING_MODEL
    base64: bool = False


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> Any:
    """An error as the wire carries it. `kind` is `invalid_request_error`, `server_error`, ..."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def read_chat(body: Mapping[str, Any]) -> ChatRequest:
    """A chat request. Raises BadRequest with the field that is wrong."""
    if body.get("n", 1) not in (1, None):
        raise BadRequest("n must be 1: the planner is deterministic and has one answer", "n")
    _refuse_formats(body)
    options = optional(body, "stream_options", dict, "stream_options") or {}
    tools = _tools(body)
    return ChatRequest(
        _messages(body),
        tools,
        _choice(body, tools),
        _model(body, MODEL),
        bool(body.get("stream")),
        bool(options.get("include_usage")),
    )


def read_embeddings(body: Mapping[str, Any]) -> EmbeddingsRequest:
    """An embeddings request. Raises BadRequest with the field that is wrong."""
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise BadRequest("encoding_format must be float or base64", "encoding_format")
    if body.get("dimensions") not in (None, 384):
        raise BadRequest("dimensions must be 384, which is what the model has", "dimensions")
    given = body.get("input")
    inputs = [given] if isinstance(given, str) else given
    if not isinstance(inputs, list) or not inputs:
        raise BadRequest("input must be a text or a list of texts", "input")
    if len(inputs) > MAX_INPUTS:
        raise BadRequest(f"input has {len(inputs)} texts; at most {MAX_INPUTS} go in one", "input")
    texts = tuple(_input(text, f"input[{n}]") for n, text in enumerate(inputs))
    return EmbeddingsRequest(texts, _model(body, EMBEDDING_MODEL), encoding == "base64")


def _input(value: Any, where: str) -> str:
    text = text_within(value, where)
    if not text.strip():
        raise BadRequest(f"{where} is empty", where)
    return text


def _refuse_formats(body: Mapping[str, Any]) -> None:
    form = optional(body, "response_format", dict, "response_format")
    if form and form.get("type", "text") != "text":
        raise BadRequest(
            "response_format must be text: the planner is not a language model and writes no JSON",
            "response_format",
        )


def _model(body: Mapping[str, Any], default: str) -> str:
    return optional(body, "model", str, "model") or default


def _messages(body: Mapping[str, Any]) -> tuple[Message, ...]:
    given = body.get("messages")
    if not isinstance(given, list) or not given:
        raise BadRequest("messages must be a list with at least one message", "messages")
    if len(given) > MAX_MESSAGES:
        raise BadRequest(f"{len(given)} messages; at most {MAX_MESSAGES} are read", "messages")
    return tuple(_message(value, f"messages[{n}]") for n, value in enumerate(given))


_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def _message(value: Any, where: str) -> Message:
    if not isinstance(value, dict):
        raise BadRequest(f"{where} must be an object, not {named(value)}", where)
    role = value.get("role")
    if role == "tool":
        call = required_text(value, "tool_call_id", where)
        return Message("tool", _content(value.get("content"), where), (), call)
    if not isinstance(role, str) or role not in _ROLES:
        raise BadRequest(
            f"{where}.role must be system, developer, user, assistant or tool", f"{where}.role"
        )
    calls = value.get("tool_calls") or []
    if calls and (role != "assistant" or not isinstance(calls, list)):
        raise BadRequest(
            f"{where}.tool_calls must be a list, of an assistant", f"{where}.tool_calls"
        )
    return Message(
        _ROLES[role],
        _content(value.get("content"), where),
        tuple(_call(call, f"{where}.tool_calls[{n}]") for n, call in enumerate(calls)),
    )


def _content(value: Any, where: str) -> str:
    """A message's text: a string, or a list of text parts joined; null is empty."""
    where = f"{where}.content"
    if value is None:
        return ""
    if not isinstance(value, list):
        return text_within(value, where)
    parts = []
    for n, part in enumerate(value):
        if not isinstance(part, dict) or part.get("type") != "text":
            raise BadRequest(
                f"{where}[{n}] must be a text part: the planner reads text only", where
            )
        parts.append(text_within(part.get("text"), f"{where}[{n}].text"))
    return text_within(" ".join(parts), where)


def _call(value: Any, where: str) -> ToolCall:
    function = value.get("function") if isinstance(value, dict) else None
    if not isinstance(function, dict):
        raise BadRequest(f"{where}.function is missing", where)
    arguments = text_within(function.get("arguments", "{}"), f"{where}.function.arguments")
    return ToolCall(
        required_text(value, "id", where), required_text(function, "name", where), arguments
    )


def _tools(body: Mapping[str, Any]) -> tuple[Tool, ...]:
    given = optional(body, "tools", list, "tools") or []
    if len(given) > MAX_TOOLS:
        raise BadRequest(f"{len(given)} tools; at most {MAX_TOOLS} are compared", "tools")
    return tuple(_tool(value, f"tools[{n}]") for n, value in enumerate(given))


def _tool(value: Any, where: str) -> Tool:
    function = value.get("function") if isinstance(value, dict) else None
    if not isinstance(function, dict) or value.get("type") != "function":
        raise BadRequest(f'{where} must be {{"type": "function", "function": {{...}}}}', where)
    return Tool(
        required_text(function, "name", f"{where}.function"),
        optional(function, "description", str, f"{where}.function.description") or "",
        optional(function, "parameters", dict, f"{where}.function.parameters") or {},
    )


def _choice(body: Mapping[str, Any], tools: tuple[Tool, ...]) -> str:
    """The tool_choice: `auto`, `none`, `required`, or the name of an offered tool."""
    given = body.get("tool_choice") or AUTO
    if isinstance(given, dict) and isinstance(given.get("function"), dict):
        name = given["function"].get("name")
        if any(tool.name == name for tool in tools):
            return str(name)
        raise BadRequest(f"tool_choice names {name!r}, which is not among the tools", "tool_choice")
    if given not in (AUTO, NONE, REQUIRED):
        raise BadRequest("tool_choice must be auto, none, required or a function", "tool_choice")
    return str(given)
