"""What a client of the Azure adapter costs: threads, memory, idle CPU; and live calls per core.

The real Speech SDK runs in this process against the emulated service in another, so that only the
clients are counted here. A live call is what one caller needs: a recogniser that is fed in real
time, and a synthesiser that speaks a sentence every few seconds. The network of the real service,
and TLS, are not in these figures.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from speech_pool.engines.azure.provider import AzureProvider
from speech_pool.engines.azure.settings import AzureSettings
from speech_pool.ports import (
    ProviderUnavailable,
    RecognitionOptions,
    Recognizer,
    Synthesizer,
    Voice,
)
from tests.load.measure import cpu_seconds, machine, percentile, resident_mb
from tests.support.speech_emulator import KEY, SpeechEmulator
from tests.support.tonetext import encode
from warmpool.factory import ClientFactory

CLIENTS = 10
"""Of each kind; more would measure the emulator, which shares the machine."""
IDLE_SECONDS = 3.0
LIVE_SECONDS = 8.0
FRAME_SECONDS = 0.02
HERTZ = 16_000
SAYS = encode("what is the balance of my account", HERTZ) + bytes(2 * HERTZ)
ANSWER = "Your balance is forty two euros."
TURN_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What this process uses."""

    threads: int
    resident_mb: float

    @classmethod
    def now(cls) -> Cost:
        """The present cost."""
        gc.collect()
        return cls(len(os.listdir("/proc/self/task")), resident_mb(os.getpid()))


async def serve() -> None:
    """The emulator alone, until its standard input ends."""
    async with SpeechEmulator() as emulator:
        print(emulator.endpoint, flush=True)
        await asyncio.to_thread(sys.stdin.read)


@asynccontextmanager
async def loaded() -> AsyncIterator[AzureProvider]:
    """The provider before an emulator in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.load.azure_clients",
        "serve",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    endpoint = (await process.stdout.readline()).decode().strip()
    provider = AzureProvider(AzureSettings(key=KEY, endpoint=endpoint, max_threads=1000))
    try:
        await provider.load()
        yield provider
    finally:
        await provider.aclose()
        process.stdin.close()
        await process.wait()


async def idle_cpu() -> float:
    """Percent of one core that this process takes while nothing happens."""
    before, began = cpu_seconds(os.getpid()), time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    return 100 * (cpu_seconds(os.getpid()) - before) / (time.monotonic() - began)


async def opened(factory: ClientFactory[Any]) -> tuple[Any, float]:
    """A warm client, and the milliseconds that took."""
    began = time.perf_counter()
    client = await factory.open()
    if not await factory.warm(client):
        raise SystemExit("the emulator accepted no client")
    return client, 1000 * (time.perf_counter() - began)


async def report(what: str, before: Cost, idle_before: float) -> None:
    """A line of what each of the clients costs beyond `before`."""
    idle = await idle_cpu() - idle_before
    now = Cost.now()
    print(
        f"{what:34} {(now.threads - before.threads) / CLIENTS:4.1f} threads"
        f" {(now.resident_mb - before.resident_mb) / CLIENTS:6.2f} MB"
        f" {idle / CLIENTS:5.2f} % of a core idle"
    )


async def clients_of(
    kind: str,
    factory: ClientFactory[Any],
    use: Callable[[Any], Awaitable[object]],
) -> None:
    """Open, measure, use, measure, close, measure."""
    idle, before = await idle_cpu(), Cost.now()
    pairs = [await opened(factory) for _ in range(CLIENTS)]
    took = [milliseconds for _, milliseconds in pairs]
    await report(f"{kind}, connected", before, idle)
    for client, _ in pairs:
        await use(client)
    await report(f"{kind}, used", before, idle)
    began = time.perf_counter()
    for client, _ in pairs:
        await factory.close(client)
    closing = 1000 * (time.perf_counter() - began) / CLIENTS
    left = Cost.now().threads - before.threads
    print(
        f"{kind}, open and warm: p50 {percentile(took, 0.5):.0f} ms;"
        f" close: {closing:.0f} ms; threads left: {left}"
    )


async def speak(client: Synthesizer) -> float:
    """Say the answer; milliseconds to its first event."""
    began, first = time.perf_counter(), 0.0
    async for _ in client.speak(ANSWER, Voice(), HERTZ):
        first = first or 1000 * (time.perf_counter() - began)
    return first


async def hear(client: Recognizer) -> None:
    """One utterance, as a burst."""
    stream = client.start(RecognitionOptions(HERTZ))
    stream.write(SAYS)
    stream.finish()
    async for _ in stream.events():
        pass


async def call(provider: AzureProvider, first_bytes: list[float], number: int) -> None:
    """One live call. Calls speak in turn, not all in the same moment."""
    await asyncio.sleep(TURN_SECONDS * number / CLIENTS)
    recognizer, synthesizer = await asyncio.gather(
        provider.recognizers.open(), provider.synthesizers.open()
    )
    await provider.recognizers.warm(recognizer)
    await provider.synthesizers.warm(synthesizer)
    feeding = asyncio.create_task(_feed(recognizer))
    end = time.monotonic() + LIVE_SECONDS
    while time.monotonic() < end:
        first_bytes.append(await speak(synthesizer))
        await asyncio.sleep(min(TURN_SECONDS, max(0.0, end - time.monotonic())))
    await feeding
    await provider.recognizers.close(recognizer)
    await provider.synthesizers.close(synthesizer)


async def _feed(recognizer: Recognizer) -> None:
    stream = recognizer.start(RecognitionOptions(HERTZ))
    reading = asyncio.create_task(_drain(stream.events()))
    size = round(2 * HERTZ * FRAME_SECONDS)
    began = time.monotonic()
    for number in range(round(LIVE_SECONDS / FRAME_SECONDS)):
        at = number * size % len(SAYS)
        stream.write(SAYS[at : at + size])
        await asyncio.sleep(max(0.0, began + (number + 1) * FRAME_SECONDS - time.monotonic()))
    stream.finish()
    await reading


async def _drain(events: AsyncIterator[object]) -> None:
    async for _ in events:
        pass


async def live_calls(provider: AzureProvider) -> None:
    """CPU of concurrent calls, and what that makes per core."""
    before = cpu_seconds(os.getpid())
    first_bytes: list[float] = []
    await asyncio.gather(*(call(provider, first_bytes, number) for number in range(CLIENTS)))
    seconds = LIVE_SECONDS
    share = (cpu_seconds(os.getpid()) - before) / seconds / CLIENTS
    print(
        f"{CLIENTS} live calls for {seconds:.0f} s: {100 * share:.1f} % of a core each,"
        f" {1 / share:.0f} calls per core; first audio p50 {percentile(first_bytes, 0.5):.0f} ms,"
        f" p99 {percentile(first_bytes, 0.99):.0f} ms"
    )


async def main() -> None:
    """Print the figures."""
    print(machine())
    async with loaded() as provider:
        warm_up, _ = await opened(provider.synthesizers)  # what the SDK needs but once
        await provider.synthesizers.close(warm_up)
        await clients_of("recogniser", provider.recognizers, hear)
        await clients_of("synthesiser", provider.synthesizers, speak)
        await live_calls(provider)


if __name__ == "__main__":
    try:
        asyncio.run(serve() if sys.argv[1:] == ["serve"] else main())
    except ProviderUnavailable as error:
        sys.exit(str(error))
