"""The MCP server of `mcp_server`, started and declared: over HTTP as one process for many tests."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support import mcp_server
from tool_executor.mcp_servers import DeclaredServer, DeclaredTool

SERVER_FILE = str(Path(mcp_server.__file__))
VARIABLES = {"OUR_TOKEN": "from-our-variable", "OUR_AUTHORIZATION": "Bearer of-ours"}


@contextlib.contextmanager
def running_http_server(**environment: str) -> Iterator[str]:
    """Its address; it listens already, for it prints its port once it is bound."""
    process = subprocess.Popen(
        [sys.executable, SERVER_FILE, "http"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={"PATH": "", **environment},
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, "the server ended before it listened"
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.communicate()


def http(url: str, tools: Mapping[str, DeclaredTool]) -> DeclaredServer:
    """The server at an address."""
    return DeclaredServer(url=url, headers={"Authorization": "OUR_AUTHORIZATION"}, tools=tools)


def stdio(
    tools: Mapping[str, DeclaredTool], *, believe_hints: bool = False, **environment: str
) -> DeclaredServer:
    """The server as a process of its own."""
    return DeclaredServer(
        command=(sys.executable, SERVER_FILE, "stdio"),
        environment={"DESK_TOKEN": "OUR_TOKEN", **environment},
        tools=tools,
        believe_hints=believe_hints,
    )
