"""What every request of a mesh server goes through: context, deadline, errors, in one layer.

The handlers are wrapped when they are added. An interceptor of grpc.aio would do the same, but costs
each request more than the smaller RPCs themselves. A handler that raises MeshError answers with its
reason; any other exception answers INTERNAL_ERROR with the trace id and nothing else, and is logged
here.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NoReturn

import grpc

from meshkit import metrics
from meshkit.context import carries_context, current_ids, incoming_metadata
from meshkit.errors import MeshError, Reason, grpc_status_of
from meshkit.logging import get_logger
from meshkit.rpc_telemetry import serving

logger = get_logger("meshkit.server")

_NOTHING: AbstractContextManager[None] = nullcontext()

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
    Context = grpc.aio.ServicerContext[Any, Any]


class _Methods(grpc.GenericRpcHandler):
    """All of the mesh's methods in one table: grpc.aio asks each table that it has, in the order in
    which they were added, at each request."""

    def __init__(self) -> None:
        self.known: dict[str, Handler] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """The handler of a full method, if it is one of ours."""
        return self.known.get(handler_call_details.method)


class MeshHandlers:
    """Takes the mesh's servicers in the place of a server, and gives it their handlers, wrapped.

    `service` names the server in `domain`. `max_unary_seconds` bounds a unary request whose caller
    set no deadline. `door` gives each full method the check that its callers pass first; None: all may.
    Health and reflection go to the server itself, untouched.
    """

    def __init__(
        self,
        server: grpc.aio.Server,
        service: str,
        max_unary_seconds: float,
        door: Callable[[str], Callable[[Context], None]] | None = None,
    ) -> None:
        self._methods = _Methods()
        server.add_generic_rpc_handlers((self._methods,))
        self._domain = f"{service}.voicemesh"
        self._max_unary = max_unary_seconds
        self._door = door

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Generated code offers its handlers twice; the other way has them by name."""

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        """Wrap the handlers of a service and have them served. Raises TypeError."""
        for name, handler in method_handlers.items():
            method = f"{service_name}/{name}"
            self._methods.known[f"/{method}"] = self._wrap(handler, method)

    def _wrap(self, handler: Handler, method: str) -> Handler:
        check = self._door(f"/{method}") if self._door else None
        if handler.response_streaming:
            inner = handler.stream_stream or handler.unary_stream
            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            return make(
                self._streaming(_checked(inner, check), inner, method), *_serializers(handler)
            )
        if handler.request_streaming:
            raise TypeError("the mesh has no client-streaming RPCs")
        return grpc.unary_unary_rpc_method_handler(
            self._unary(_checked(handler.unary_unary, check), method), *_serializers(handler)
        )

    def _unary(self, inner: Any, method: str) -> Callable[..., Awaitable[Any]]:
        async def unary(request: Any, context: Context) -> Any:
            try:
                metadata = context.invocation_metadata()
                carried = carries_context(metadata)
                if not (carried or metrics.is_on()) and context.time_remaining() is not None:
                    return await inner(request, context)  # nothing to take up, tell or bound
                taken = incoming_metadata(metadata) if carried else _NOTHING
                with taken, serving(method, told=carried):
                    if context.time_remaining() is not None:
                        return await inner(request, context)
                    async with asyncio.timeout(self._max_unary):
                        return await inner(request, context)
            except Exception as error:
                with incoming_metadata(context.invocation_metadata()):
                    await self._abort(context, error)

        return unary

    def _streaming(self, checked: Any, inner: Any, method: str) -> Callable[..., Any]:
        make = self._generator if inspect.isasyncgenfunction(inner) else self._duplex
        return make(checked, method)

    def _duplex(self, inner: Any, method: str) -> Callable[..., Awaitable[None]]:
        async def duplex(request: Any, context: Context) -> None:
            metadata = context.invocation_metadata()
            with incoming_metadata(metadata):
                try:
                    with serving(method, told=carries_context(metadata)):
                        await inner(request, context)
                except Exception as error:
                    await self._abort(context, error)

        return duplex

    def _generator(self, inner: Any, method: str) -> Callable[..., AsyncIterator[Any]]:
        async def streaming(request: Any, context: Context) -> AsyncIterator[Any]:
            metadata = context.invocation_metadata()
            with incoming_metadata(metadata):
                try:
                    with serving(method, told=carries_context(metadata)):
                        async for response in inner(request, context):
                            yield response
                except Exception as error:
                    await self._abort(context, error)

        return streaming

    async def _abort(self, context: Context, error: Exception) -> NoReturn:
        """Answer with the error; the handler's own `context.abort` goes on as it is."""
        if isinstance(error, grpc.aio.AbortError):
            raise error
        mesh_error = error if isinstance(error, MeshError) else _unforeseen(error)
        await context.abort_with_status(grpc_status_of(mesh_error, self._domain))
        raise AssertionError("abort_with_status raises")


def _checked(inner: Any, check: Callable[[Context], None] | None) -> Any:
    """The handler behind its check; not a coroutine of its own, which would cost each request."""
    if check is None:
        return inner

    def checked(request: Any, context: Context) -> Any:
        check(context)
        return inner(request, context)

    return checked


def _serializers(handler: Handler) -> tuple[Any, Any]:
    return handler.request_deserializer, handler.response_serializer


def _unforeseen(error: Exception) -> MeshError:
    if isinstance(error, TimeoutError):
        logger.warning("request ran out of time")
        return MeshError(
            "DEADLINE_EXCEEDED", "the request took too long", code=grpc.StatusCode.DEADLINE_EXCEEDED
        )
    logger.error("unforeseen exception", exc_info=error)
    trace = current_ids().get("trace", "")
    return MeshError(
        Reason.INTERNAL_ERROR, "an internal error was logged", metadata={"trace": trace}
    )
