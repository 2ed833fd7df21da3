"""The language model: any endpoint that speaks the OpenAI wire, streaming. Only here is its SDK known.

One client for the process, since making one costs a TLS context. Azure's first chunk has no choices,
and the chunk with the usage has none either; both are passed over. The SDK's own retries are off: we
retry once, before the first token, and never after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from agentkit import ModelOptions
from meshkit.credentials import BearerTokens, TokenUnavailable
from meshkit.logging import get_logger
from meshkit.startup import StartupError
from orchestrator.history import Message
from orchestrator.settings import OrchestratorSettings

if TYPE_CHECKING:
    import openai

logger = get_logger("orchestrator.llm")

RETRY_SECONDS = 0.2
CONNECT_SECONDS = 2.0
AZURE_SCOPE = "https://cognitiveservices.azure.com/.default"
IDLE_SECONDS = 60.0
"""A connection is kept this long between requests: callers think for longer than the SDK's 5 s."""


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
    cached_input_tokens: int = 0
    """Of the input tokens, those that the model had kept."""
    provider: str = ""
    """Whose price list holds."""


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

    def asked_for(self, options: ModelOptions) -> str:
        """The name of the model or deployment that `answer` asks."""
        ...


class OpenAIModel:
    """The adapter. Raises StartupError where Azure is to be asked without a key or an identity."""

    def __init__(self, settings: OrchestratorSettings) -> None:
        self._settings = settings
        self._tokens = _tokens_of(settings)
        self._client = _client(settings, self._tokens)

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self._client.close()
        if self._tokens is not None:
            await self._tokens.aclose()

    async def answer(
        self, messages: Sequence[Message], tools: Sequence[Message], options: ModelOptions
    ) -> AsyncIterator[ModelEvent]:
        """See LanguageModel."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        times = _Times(
            first=began + self._settings.model_first_token_seconds,
            total=began + self._settings.model_total_seconds,
        )
        parameters = self._parameters(messages, tools, options)
        chunks = self._first_chunk_or_again(parameters, times)
        provider = billed_by(self._settings)
        async with aclosing(chunks), aclosing(_events(chunks, provider)) as events:
            async for event in events:
                yield event

    def asked_for(self, options: ModelOptions) -> str:
        """See LanguageModel."""
        return options.name or self._settings.model_name

    async def _first_chunk_or_again(
        self, parameters: dict[str, Any], times: _Times
    ) -> AsyncGenerator[Any, None]:
        """The answer's chunks; asked for twice if it breaks off before the first. Raises
        ModelUnavailable."""
        for last in (False, True):
            begun = False
            try:
                async with aclosing(self._chunks(parameters, times)) as chunks:
                    async for chunk in chunks:
                        begun = begun or _says_something(chunk)
                        yield chunk
                return
            except _Failed as failed:
                if begun or last or failed.retry_after is None:
                    raise ModelUnavailable(failed.described) from None
                if times.is_over(failed.retry_after):
                    raise ModelUnavailable(failed.described) from None
                logger.warning("model asked once more", extra={"cause": failed.described})
                await asyncio.sleep(failed.retry_after)

    async def _chunks(self, parameters: dict[str, Any], times: _Times) -> AsyncGenerator[Any, None]:
        """One try. The clock stands only around each wait: a timeout that were open across a `yield`
        would cancel whoever reads this. Raises _Failed."""
        stream = None
        until = min(times.first, times.total)
        try:
            async with asyncio.timeout_at(until):
                stream = await self._client.chat.completions.create(**parameters)
            chunks = aiter(stream)
            while True:
                async with asyncio.timeout_at(until):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                if _says_something(chunk):
                    until = times.total
                yield chunk
        except Exception as error:
            raise _failed(error) from None
        finally:
            if stream is not None:
                await stream.close()

    def _parameters(
        self, messages: Sequence[Message], tools: Sequence[Message], options: ModelOptions
    ) -> dict[str, Any]:
        parameters: dict[str, Any] = {
            "model": self.asked_for(options),
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


def _says_something(chunk: Any) -> bool:
    if not chunk.choices:
        return False
    delta = chunk.choices[0].delta
    return bool(delta.content or delta.tool_calls)


@dataclass(frozen=True, slots=True)
class _Times:
    """Deadlines of an answer, in the loop's time."""

    first: float
    total: float

    def is_over(self, seconds: float) -> bool:
        """Whether the first token would be due before this many seconds from now."""
        return asyncio.get_running_loop().time() + seconds >= self.first


class _Failed(Exception):
    """One try failed. `retry_after`: seconds to wait before another may help; None: it will not."""

    def __init__(self, described: str, retry_after: float | None) -> None:
        super().__init__(described)
        self.described = described
        self.retry_after = retry_after


def _failed(error: Exception) -> _Failed:
    """What the SDK's error means. Its text is left out, since it may quote what the caller said."""
    import httpx2
    import openai

    if isinstance(error, TokenUnavailable):
        return _Failed(str(error), None)  # the SDK has tried more than once by then
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        return _Failed("the model took too long", None)
    if isinstance(error, openai.APIStatusError):
        again = error.status_code in (408, 409, 429) or error.status_code >= 500
        wait = _retry_after(error.response.headers) if again else None
        return _Failed(f"{type(error).__name__} {error.status_code}", wait)
    if isinstance(error, openai.APIConnectionError | httpx2.TransportError):
        return _Failed(type(error).__name__, RETRY_SECONDS)
    if isinstance(error, openai.OpenAIError | httpx2.HTTPError | ValueError):
        return _Failed(type(error).__name__, None)
    raise error


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the endpoint asks to wait, or our own."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    return RETRY_SECONDS


async def _events(chunks: AsyncIterator[Any], provider: str) -> AsyncGenerator[ModelEvent, None]:
    """What the chunks say. Raises ModelUnavailable if they end before the answer does."""
    calls = _Calls()
    model, usage, finished = "", None, False
    async for chunk in chunks:
        model, usage = chunk.model or model, chunk.usage or usage
        if not chunk.choices:
            continue
        choice = chunk.choices[0]
        finished = finished or choice.finish_reason is not None
        calls.take(choice.delta.tool_calls or ())
        if choice.delta.content:
            yield TextDelta(choice.delta.content)
    if not finished:
        raise ModelUnavailable("the model broke off")
    yield Answered(calls.complete(), model, *_tokens(usage), provider)


def _tokens(usage: Any) -> tuple[int, int, int]:
    """Tokens read, written, and of those read the kept ones; endpoints may leave out the last."""
    if usage is None:
        return 0, 0, 0
    details = getattr(usage, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None) or 0
    return usage.prompt_tokens, usage.completion_tokens, cached


def billed_by(settings: OrchestratorSettings) -> str:
    """Whose price list holds for the model: a name of ours, or the endpoint's host."""
    if settings.azure_openai_endpoint:
        return "azure-openai"
    host = urlsplit(settings.model_base_url).hostname or ""
    if host in ("localhost", "127.0.0.1", "::1"):
        return "local"
    return "openai" if host == "api.openai.com" else host


class _Calls:
    """Puts tool calls together from their pieces, which come by index."""

    def __init__(self) -> None:
        self._pieces: dict[int, list[str]] = {}

    def take(self, deltas: Sequence[Any]) -> None:
        for delta in deltas:
            index = len(self._pieces) if delta.index is None else delta.index
            piece = self._pieces.setdefault(index, ["", "", ""])
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


def _tokens_of(settings: OrchestratorSettings) -> BearerTokens | None:
    """Those of the pod's identity, for an Azure resource without a key."""
    if not settings.azure_openai_endpoint or settings.azure_openai_api_key.get_secret_value():
        return None
    try:
        return BearerTokens(AZURE_SCOPE)
    except ImportError:
        raise StartupError(
            "AZURE_OPENAI_ENDPOINT is set without AZURE_OPENAI_API_KEY, and azure-identity is not"
            " installed: set the key, or install voicemesh[azure]."
        ) from None


def _client(settings: OrchestratorSettings, tokens: BearerTokens | None) -> openai.AsyncOpenAI:
    import httpx2
    import openai

    timeout = httpx2.Timeout(settings.model_total_seconds, connect=CONNECT_SECONDS)
    limits = httpx2.Limits(
        max_connections=1000, max_keepalive_connections=100, keepalive_expiry=IDLE_SECONDS
    )
    http = openai.DefaultAsyncHttpxClient(limits=limits, timeout=timeout)
    if settings.azure_openai_endpoint:
        return openai.AsyncAzureOpenAI(
            azure_endpoint=settings.azure_openai_endpoint,
            api_key=None if tokens else settings.azure_openai_api_key.get_secret_value(),
            azure_ad_token_provider=tokens,
            api_version=settings.azure_openai_api_version,
            timeout=timeout,
            max_retries=0,
            http_client=http,
        )
    # The SDK insists on a key; endpoints that want none do not look at it.
    key = settings.model_api_key.get_secret_value() or "none"
    return openai.AsyncOpenAI(
        base_url=settings.model_base_url,
        api_key=key,
        timeout=timeout,
        max_retries=0,
        http_client=http,
    )
