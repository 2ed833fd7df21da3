"""The pods of one peer service: one channel each, their load, and who is asked next.

    async with Fleet("speech-pool", endpoint_source(settings.speech_pool_target)) as pods:
        response = await pods.unary(SpeechPoolServiceStub, "AllocateClient", request, timeout=1.0)
        stub = pods.stub(SpeechServiceStub, response.lease.address)   # affinity by address

Python gRPC has no custom resolver, so nothing is left to its own balancing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, Self, TypeVar

import grpc
from grpc_health.v1 import health_pb2_grpc

from meshkit.endpoints import EndpointSource
from meshkit.errors import MeshError, PeerUnreachable, unreachable
from meshkit.health import asked
from meshkit.identity import current_certificates
from meshkit.logging import get_logger
from meshkit.picker import PodState, pick
from meshkit.rpc import NO_RETRY, Retry, unary, unary_retrying
from meshkit.tls import Certificates
from voicemesh.mesh.v1.mesh_pb2 import PodLoad

logger = get_logger("meshkit.fleet")

Stub = TypeVar("Stub")

SUSPECT_SECONDS = 2.0
MAX_STRANGERS = 256
"""Channels to addresses outside the fleet (named by leases), at most."""
LEAVE_SECONDS = 30.0
"""A channel to a pod that is gone is closed after this, or when its calls have ended."""
RETIRE_SECONDS = 3600.0
"""A channel with a certificate of before the rotation is kept this long: calls are on it."""
MAX_RETIRED = 256
"""Such channels, at most; past that the oldest are closed."""

_OPTIONS = [
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", 4 << 20),
]


class _Pod:
    """A channel and the stubs made on it."""

    def __init__(self, address: str, service: str, certificates: Certificates | None) -> None:
        if certificates is None:
            self.channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        else:
            options = [*_OPTIONS, *certificates.channel_options(service)]
            credentials = certificates.channel_credentials()
            self.channel = grpc.aio.secure_channel(address, credentials, options=options)
        self._stubs: dict[type, Any] = {}

    def stub(self, kind: Callable[[grpc.aio.Channel], Stub]) -> Stub:
        made: Stub = self._stubs.get(kind) or self._stubs.setdefault(kind, kind(self.channel))  # type: ignore[call-overload]
        return made


class Fleet:
    """The pods of `service`, as an async context manager."""

    def __init__(
        self, service: str, source: EndpointSource, *, choose: random.Random | None = None
    ) -> None:
        self.service = service
        self._source = source
        self._choose = choose or random.Random()  # noqa: S311 (load, not secrets)
        self._states: dict[str, PodState] = {}
        self._pods: dict[str, _Pod] = {}
        self._known = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._certificates = current_certificates()
        self._retired: dict[grpc.aio.Channel, asyncio.TimerHandle] = {}
        self._unlisten: Callable[[], None] | None = None

    async def __aenter__(self) -> Self:
        if self._certificates is not None:
            self._unlisten = self._certificates.on_change(self._dial_again)
        self._watch = asyncio.create_task(self._follow())
        await self._known.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._unlisten is not None:
            self._unlisten()
        for timer in self._retired.values():
            timer.cancel()
        channels = [*self._retired, *(pod.channel for pod in self._pods.values())]
        self._retired.clear()
        self._pods.clear()
        await asyncio.gather(*self._closing, *(channel.close() for channel in channels))

    @property
    def addresses(self) -> frozenset[str]:
        """The pods known now."""
        return frozenset(self._states)

    def pick(self, exclude: Collection[str] = ()) -> str:
        """The address to ask next. Raises PeerUnreachable if no pod is known but those excluded."""
        now = asyncio.get_running_loop().time()
        address = pick(self._states, now, exclude=exclude, choose=self._choose)
        if address is None:
            raise unreachable(grpc.StatusCode.UNAVAILABLE, "no pod is known", self.service)
        return address

    def stub(self, kind: Callable[[grpc.aio.Channel], Stub], address: str) -> Stub:
        """The stub for one pod, by its address; a lease may name one that discovery lacks."""
        pod = self._pods.get(address)
        if pod is None:
            self._drop_strangers()
            pod = self._pods[address] = self._dial(address)
        return pod.stub(kind)

    def report(self, address: str, load: PodLoad) -> None:
        """A pod told its load."""
        if address in self._states:
            self._states[address] = replace(
                self._states[address], used=load.used, max=load.max, draining=load.draining
            )

    def suspect(self, address: str) -> None:
        """A pod did not answer: give new work to others for a while."""
        if address in self._states:
            until = asyncio.get_running_loop().time() + SUSPECT_SECONDS
            self._states[address] = replace(self._states[address], suspect_until=until)

    async def unary(
        self,
        kind: Callable[[grpc.aio.Channel], Any],
        method: str,
        request: Any,
        *,
        timeout: float,
        address: str | None = None,
        retry: Retry = NO_RETRY,
    ) -> Any:
        """Call a unary method within `timeout` seconds, at `address` or on a pod of our choice.

        With `retry` (idempotent requests only) each attempt goes to another pod while there is one.
        Raises MeshError.
        """
        if address is not None:
            return await self._once(kind, method, request, timeout, address)
        tried: list[str] = []

        def choose() -> tuple[object, str]:
            chosen = self._another(tried)
            return self.stub(kind, chosen), chosen

        try:
            return await unary_retrying(choose, method, request, timeout=timeout, retry=retry)
        except PeerUnreachable:
            self.suspect(tried[-1]) if tried else None
            raise

    async def why_not(self, timeout: float = 1.0) -> str:
        """Why a pod of the fleet does not serve, in its own words; empty: it serves.

        Never raises MeshError.
        """
        try:
            address = self.pick()
        except MeshError as error:
            return error.message
        try:
            answer = await asked(self.stub(health_pb2_grpc.HealthStub, address), timeout)
        except grpc.aio.AioRpcError as error:
            self.suspect(address)
            return str(error.code().name)
        return "" if answer.serves else answer.reason or answer.status

    async def _once(
        self,
        kind: Callable[[grpc.aio.Channel], Any],
        method: str,
        request: Any,
        timeout: float,
        address: str,
    ) -> Any:
        try:
            stub = self.stub(kind, address)
            return await unary(stub, method, request, timeout=timeout, peer=address)
        except PeerUnreachable:
            self.suspect(address)
            raise

    def _another(self, tried: list[str]) -> str:
        if tried:
            self.suspect(tried[-1])
        fresh = len(set(tried)) < len(self._states)
        tried.append(self.pick(exclude=tried if fresh else ()))
        return tried[-1]

    async def _follow(self) -> None:
        async for addresses in self._source.watch():
            for gone in self._states.keys() - addresses:
                del self._states[gone]
                self._close_later(gone)
            for new in addresses - self._states.keys():
                self._states[new] = PodState()
                if new not in self._pods:
                    self._pods[new] = self._dial(new)
            logger.info("pods", extra={"peer": self.service, "count": len(addresses)})
            self._known.set()

    def _dial(self, address: str) -> _Pod:
        return _Pod(address, self.service, self._certificates)

    def _dial_again(self) -> None:
        """Use the new certificate for what comes; what is under way stays on its channel.

        Closing a channel of grpc.aio would cut its streams, however long they may still be wanted.
        """
        loop = asyncio.get_running_loop()
        for address, pod in tuple(self._pods.items()):
            self._retired[pod.channel] = loop.call_later(RETIRE_SECONDS, self._drop, pod.channel)
            self._pods[address] = self._dial(address)
        for oldest in list(self._retired)[: max(0, len(self._retired) - MAX_RETIRED)]:
            self._drop(oldest)

    def _drop(self, channel: grpc.aio.Channel) -> None:
        self._retired.pop(channel).cancel()
        self._close(channel, LEAVE_SECONDS)

    def _drop_strangers(self) -> None:
        strangers = [a for a in self._pods if a not in self._states]
        if len(strangers) >= MAX_STRANGERS:
            self._close_later(strangers[0])

    def _close_later(self, address: str) -> None:
        """Let calls under way on the channel end first; streams notice by themselves."""
        if pod := self._pods.pop(address, None):
            self._close(pod.channel, LEAVE_SECONDS)

    def _close(self, channel: grpc.aio.Channel, grace: float) -> None:
        task = asyncio.create_task(channel.close(grace))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
