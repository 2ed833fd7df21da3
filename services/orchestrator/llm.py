"""The language model: any endpoint that speaks the OpenAI wire, streaming. Only here is its SDK known.

One client for the process, since making one costs a TLS context. Azure's first chunk has no choices,
and the chunk with the usage has none either; both are passed over. The SDK's own retries are off: we
retry once, before the first token, and never after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from agentkit import ModelOptions
from meshkit.logging import get_logger
from orchestrator.history import Message
from orchestrator.settings import OrchestratorSettings

if TYPE_CHECKING:
    import openai

logger = get_logger("orchestrator.llm")

RETRY_SECONDS = 0.2
CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class WantedCall:
    """A tool call, complete."""

    call_id: str
    tool: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer is complete; always the last event."""

    calls: tuple[WantedCall, ...]
    model: str
    input_tokens: int = 0
    output_tokens: int = 0


ModelEvent = TextDelta | Answered


class ModelUnavailable(Exception):
    """The model gave no answer, or broke off. The message says how, and nothing of what was said."""


class LanguageModel(Protocol):
    """What a turn needs of a model."""

    def answer(
        self, messages: Sequence[Message], tools: Sequence[Message], options: ModelOptions
    ) -> AsyncIterator[ModelEvent]:
        """Stream one answer. Closing the iterator stops the model. Raises ModelUnavailable."""
        ...


class OpenAIModel:
    """The adapter."""

    def __init__(self, settings: OrchestratorSettings) -> None:
        self._settings = settings
        self._client = _client(settings)

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self._client.close()

    async def answer(
        self, messages: Sequence[Message], tools: Sequence[Message], options: ModelOptions
    ) -> AsyncIterator[ModelEvent]:
        """See LanguageModel."""
        import openai

        parameters = self._parameters(messages, tools, options)
        try:
            async with await self._open(parameters) as stream:
                async with aclosing(self._events(stream)) as events:
                    async for event in events:
                        yield event
        except openai.OpenAIError as error:
            raise ModelUnavailable(_described(error)) from None
        except TimeoutError:
            raise ModelUnavailable("the model took too long") from None

    async def _open(self, parameters: dict[str, Any]) -> Any:
        """The stream, opened; tried twice, because nothing has been said yet."""
        import openai

        try:
            return await self._create(parameters)
        except (
            openai.APIConnectionError,
            openai.RateLimitError,
            openai.InternalServerError,
        ) as error:
            logger.warning(
                "model did not answer; trying once more", extra={"cause": _described(error)}
            )
            await asyncio.sleep(RETRY_SECONDS)
            return await self._create(parameters)

    async def _create(self, parameters: dict[str, Any]) -> Any:
        async with asyncio.timeout(self._settings.model_first_token_seconds):
            return await self._client.chat.completions.create(**parameters)

    async def _events(self, stream: Any) -> AsyncGenerator[ModelEvent, None]:
        calls = _Calls()
        model, usage = "", None
        async for chunk in self._in_time(stream):
            model, usage = chunk.model or model, chunk.usage or usage
            if not chunk.choices:
                continue
            delta = chunk.choices[0].delta
            calls.take(delta.tool_calls or ())
            if delta.content:
                yield TextDelta(delta.content)
        tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        yield Answered(calls.complete(), model, *tokens)

    async def _in_time(self, stream: Any) -> AsyncIterator[Any]:
        """The stream's chunks, the first and all of them within their times. Raises TimeoutError.

        The clock stands only around each wait: a timeout that were open across a `yield` would
        cancel whoever reads this.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._settings.model_total_seconds
        first = loop.time() + self._settings.model_first_token_seconds
        chunks = aiter(stream)
        while True:
            try:
                async with asyncio.timeout_at(min(first, until)):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            first = until
            yield chunk

    def _parameters(
        self, messages: Sequence[Message], tools: Sequence[Message], options: ModelOptions
    ) -> dict[str, Any]:
        parameters: dict[str, Any] = {
            "model": options.name or self._settings.model_name,
            "messages": list(messages),
            "max_tokens": options.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if tools:
            parameters["tools"] = list(tools)
        for name in ("temperature", "top_p"):
            if (value := getattr(options, name)) is not None:
                parameters[name] = value
        return parameters


class _Calls:
    """Puts tool calls together from their pieces, which come by index."""

    def __init__(self) -> None:
        self._pieces: dict[int, list[str]] = {}

    def take(self, deltas: Sequence[Any]) -> None:
        for delta in deltas:
            piece = self._pieces.setdefault(delta.index, ["", "", ""])
            piece[0] += delta.id or ""
            if delta.function:
                piece[1] += delta.function.name or ""
                piece[2] += delta.function.arguments or ""

    def complete(self) -> tuple[WantedCall, ...]:
        """The calls in the model's order; one without an id of its own gets one."""
        return tuple(
            WantedCall(call_id or f"call_{index}", tool, arguments or "{}")
            for index, (call_id, tool, arguments) in sorted(self._pieces.items())
            if tool
        )


def _client(settings: OrchestratorSettings) -> openai.AsyncOpenAI:
    import httpx2
    import openai

    timeout = httpx2.Timeout(settings.model_total_seconds, connect=CONNECT_SECONDS)
    if settings.azure_openai_endpoint:
        return openai.AsyncAzureOpenAI(
            azure_endpoint=settings.azure_openai_endpoint,
            api_key=settings.azure_openai_api_key.get_secret_value(),
            api_version=settings.azure_openai_api_version,
            timeout=timeout,
            max_retries=0,
        )
    key = settings.model_api_key.get_secret_value()
    return openai.AsyncOpenAI(
        base_url=settings.model_base_url, api_key=key or "none", timeout=timeout, max_retries=0
    )


def _described(error: Exception) -> str:
    """What went wrong, without the body, which may quote what the caller said."""
    status = getattr(error, "status_code", None)
    return f"{type(error).__name__}{f' {status}' if status else ''}"
