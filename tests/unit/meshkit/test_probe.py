"""The probe: three exit codes, and a reason for each that is not zero."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from meshkit.health import NotReady
from meshkit.probe import main, why_not
from meshkit.server import MeshServer
from meshkit.settings import MeshSettings


@pytest.fixture
async def server() -> AsyncIterator[MeshServer]:
    made = MeshServer("probed", MeshSettings(), port=0)
    async with made:
        yield made


@pytest.fixture
def http() -> Iterator[str]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response({"/ready": 200, "/busy": 503}.get(self.path, 404))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    listening.server_close()
    thread.join()


async def asked(url: str) -> str:
    return await asyncio.to_thread(why_not, url)


async def test_a_server_that_serves(server: MeshServer) -> None:
    await server.ready()
    assert await asked(f"grpc://127.0.0.1:{server.port}") == ""


async def test_a_server_that_is_not_ready(server: MeshServer) -> None:
    assert await asked(f"grpc://127.0.0.1:{server.port}") == "NOT_SERVING: starting"
    server.not_ready(NotReady.WAITING_FOR_REDIS, "caf\xe9\n")
    told = await asked(f"grpc://127.0.0.1:{server.port}")
    assert told == "NOT_SERVING: waiting for redis: caf??", "metadata holds printable ASCII only"


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    assert main([f"grpc://127.0.0.1:{port}"]) == 1
    assert "UNAVAILABLE" in capsys.readouterr().err
    assert main([f"http://127.0.0.1:{port}/healthz"]) == 1
    assert "refused" in capsys.readouterr().err


def test_http(http: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{http}/ready"]) == 0
    assert capsys.readouterr().err == ""
    assert main([f"{http}/busy"]) == 1
    assert capsys.readouterr().err == f"probe: {http}/busy: status 503\n"


@pytest.mark.parametrize(
    "arguments", [[], ["grpc://a:1", "grpc://b:1"], ["127.0.0.1:50051"], ["grpc://"], ["ftp://a"]]
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "use grpc://host:port or http://host:port/path" in capsys.readouterr().err
