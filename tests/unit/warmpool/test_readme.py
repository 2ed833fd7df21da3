"""The page of the library: its sample runs as printed, and what it names exists."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import re
from collections.abc import Callable
from pathlib import Path

import warmpool
from warmpool import DiscardCause, PoolOptions, PoolStats, WarmPool

PAGE = (Path(warmpool.__file__).parent / "README.md").read_text()
SAMPLES = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE))


async def test_the_sample_runs_as_printed() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeted.append(writer)
        with contextlib.suppress(ConnectionError):  # the end cuts what was being refilled
            writer.write(b"ready\n")
            while line := await reader.readline():
                writer.write(line.upper())
        writer.close()

    greeted: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        printed = await asyncio.to_thread(_run, "\n".join(SAMPLES), port)
        closing = (writer.wait_closed() for writer in greeted)
        await asyncio.gather(*closing, return_exceptions=True)
    assert printed == "warm b'HELLO\\n'\n"
    assert len(greeted) in (2, 3)  # the warm set; its refill may be cut short by the end


def test_the_tuning_table_names_settings_that_exist() -> None:
    rows = [line for line in SECTIONS["Tuning"].splitlines() if line.startswith("| ")][1:]
    turned = {name for row in rows for name in _settings(row.split("|")[2])}
    known = {*PoolOptions.__dataclass_fields__, *_parameters(WarmPool)}
    known |= {*_parameters(WarmPool.allocate), "rotate()", "is_fit"}
    assert turned - known == set()
    assert len(turned) > 15


def test_every_option_that_changes_behaviour_is_in_the_page() -> None:
    assert [name for name in PoolOptions.__dataclass_fields__ if f"`{name}`" not in PAGE] == [
        "hook_seconds",  # bounds that nobody tunes by a symptom
        "max_ttl_seconds",
        "default_wait_seconds",
        "sweep_seconds",
    ]


def test_every_cause_for_closing_is_in_the_page() -> None:
    assert [cause for cause in DiscardCause if f"`{cause}`" not in PAGE] == []


def test_troubleshooting_names_what_the_statistics_have() -> None:
    counts = set(re.findall(r"`(\w+_(?:counts?|state|failures))`", SECTIONS["Troubleshooting"]))
    assert counts
    assert counts - set(PoolStats.__dataclass_fields__) == set()


def _run(source: str, port: int) -> str:
    """What a program prints, run in a thread so that it may have an event loop of its own."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, "README.md", "exec"), {"HOST": "127.0.0.1", "PORT": port})
    return printed.getvalue()


def _settings(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def _parameters(of: Callable[..., object]) -> set[str]:
    return set(inspect.signature(of).parameters)
