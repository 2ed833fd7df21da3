"""A whole mesh on loopback: Valkey, the planner and the five services as processes of this one.

    async with LocalMesh(Ports(), data=Path("var/voicemesh"), print_line=show) as mesh:
        await mesh.until_stopped()

They start together, so that the slow loads overlap, and are stopped from the edge inwards.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from cli.parts import Part, mesh_parts
from cli.ports import Ports
from cli.process import MeshError, Print, Process
from memory.embedded import EmbeddedUnavailable, EmbeddedValkey
from meshkit.settings import PREFIX, SettingsError, yaml_settings

START_SECONDS = 60.0
STOP_SECONDS = 10.0
MAX_RESTARTS = 5
"""Restarts of one part; after that something is wrong that a restart does not mend."""


class LocalMesh:
    """The mesh as an async context manager. Raises MeshError if a part does not start."""

    def __init__(
        self,
        ports: Ports,
        *,
        data: Path,
        print_line: Print,
        environment: Mapping[str, str] | None = None,
        redis_url: str = "",
        planner: bool = True,
        ring: bool = False,
        adapt: Callable[[Part], Part] = lambda part: part,
    ) -> None:
        """`ring`: the console page shows traces and metrics. `adapt` changes parts before they
        start, such as to give each a certificate."""
        self.ports = ports
        self._data = data
        self._print = print_line
        self._environment = dict(environment or {})
        self._redis_url = redis_url
        self._planner = planner
        self._ring = ring
        self._adapt = adapt
        self._valkey: EmbeddedValkey | None = None
        self._processes: dict[str, Process] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self._stopping = False
        self._failed: asyncio.Future[None] | None = None

    @property
    def media_url(self) -> str:
        """Where ACS dials."""
        return f"ws://127.0.0.1:{self.ports.gateway_media}/api/v1/media/stream"

    @property
    def control_url(self) -> str:
        """The gateway's REST."""
        return f"http://127.0.0.1:{self.ports.gateway_http}"

    def process(self, name: str) -> Process:
        """A part by its name, such as `speech-pool`. Raises KeyError."""
        return self._processes[name]

    async def __aenter__(self) -> Self:
        self._failed = asyncio.get_running_loop().create_future()
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def until_stopped(self) -> None:
        """Wait for cancellation. Raises MeshError when a part keeps dying."""
        assert self._failed is not None
        await asyncio.shield(self._failed)

    async def stop(self) -> dict[str, int]:
        """Stop all parts; the exit code of each."""
        return await self._stop()

    async def _start(self) -> None:
        redis_url = self._redis_url or await self._start_valkey()
        self._data.mkdir(parents=True, exist_ok=True)
        data = self._data.resolve()
        parts = mesh_parts(
            self.ports,
            redis_url,
            data,
            self._environment,
            planner=self._planner,
            ring=self._ring,
            said=_said(os.environ),
        )
        parts = [self._adapt(part) for part in parts]
        for part in parts:
            await self._launch(part)
        ready = [p.until_healthy(START_SECONDS) for p in self._processes.values()]
        tasks = [asyncio.ensure_future(wait) for wait in ready]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        self._watchers = [asyncio.create_task(self._watch(part)) for part in parts]
        if self._valkey is not None:
            self._watchers.append(asyncio.create_task(self._watch_valkey(self._valkey)))

    async def _start_valkey(self) -> str:
        self._valkey = EmbeddedValkey(self._data / "valkey", port=self.ports.valkey)
        try:
            await self._valkey.__aenter__()
        except EmbeddedUnavailable as error:
            self._valkey = None
            raise MeshError(str(error)) from None
        self._print("valkey", f"ready on {self._valkey.url}")
        return self._valkey.url

    async def _watch_valkey(self, valkey: EmbeddedValkey) -> None:
        """Start it again when it dies, with what its file has."""
        try:
            for _ in range(MAX_RESTARTS):
                code = await valkey.ended()
                if self._stopping:
                    return
                self._print("valkey", f"died (exit code {code}); starting it again")
                await valkey.aclose()
                await valkey.__aenter__()
                self._print("valkey", "is back")
        except EmbeddedUnavailable as error:
            self._give_up(str(error))
        else:
            self._give_up(f"valkey died {MAX_RESTARTS} times; the mesh is given up")

    async def _launch(self, part: Part) -> Process:
        process = self._processes[part.name] = Process(part, self._print)
        await process.start()
        return process

    async def _watch(self, part: Part) -> None:
        """Say when a part dies, and start it again, as Kubernetes would."""
        for _ in range(MAX_RESTARTS):
            process = self._processes[part.name]
            await process.wait()
            if self._stopping:
                return
            self._print(part.name, f"died ({process.how_it_ended()}); starting it again")
            await (await self._launch(part)).until_healthy(START_SECONDS)
            self._print(part.name, "is back")
        self._give_up(f"{part.name} died {MAX_RESTARTS} times; the mesh is given up")

    def _give_up(self, why: str) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(MeshError(why))

    async def _stop(self) -> dict[str, int]:
        self._stopping = True
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        codes: dict[str, int] = {}
        for name, process in reversed(self._processes.items()):
            codes[name] = await process.stop(STOP_SECONDS)
        self._processes.clear()
        if self._valkey is not None:
            await self._valkey.__aexit__(None, None, None)
            self._valkey = None
        if self._failed is not None:
            self._failed.cancel()
        return codes


def _said(environment: Mapping[str, str]) -> set[str]:
    """The variables that this environment sets, or the file that it names in their place."""
    try:
        written = yaml_settings(environment)
    except SettingsError as error:
        raise MeshError(str(error)) from None
    named = {f"{PREFIX}{name.upper()}" for name, value in written.items() if value}
    return named | {name for name, value in environment.items() if value}
