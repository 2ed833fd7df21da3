"""`voicemesh tasks` and `voicemesh profile`: what they show, and how they end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console, Group

from cli.diagnose import profile_table, task_table, telling
from cli.diagnostics import Process, usual_place
from cli.main import main
from cli.ports import Ports
from meshkit.call_graph import SERVICES
from meshkit.identity import identified
from meshkit.server import MeshServer
from meshkit.settings import MeshSettings
from meshkit.tls import Files
from tests.support.certificates import PrivateCA, identity_settings
from tests.support.gateway_rig import rig

KEY = "k" * 32


def run_here(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


async def run(*arguments: str) -> Result:
    """In a thread, because the command has a loop of its own and the server answers in ours."""
    return await asyncio.to_thread(run_here, *arguments)


def shown(table: Group) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


@asynccontextmanager
async def serving(**settings: object) -> AsyncIterator[str]:
    server = MeshServer("orchestrator", MeshSettings(**settings), port=0)  # type: ignore[arg-type]
    async with server:
        yield server.address


async def test_tasks_and_a_profile_of_a_service(tmp_path: Path) -> None:
    folded = tmp_path / "stacks.txt"
    async with serving(diagnostics=True) as address:
        where = ("orchestrator", "--at", address)
        listed = await run("tasks", *where)
        told = json.loads((await run("tasks", *where, "--json")).stdout)
        took = await run("profile", *where, "--seconds", "0.1", "--folded", str(folded))
    assert listed.exit_code == took.exit_code == 0
    assert "test_diagnose.test_tasks_and_a_profile" in listed.stdout.replace("\n", "")
    assert told["task_count"] == len(told["tasks"]) > 0
    counts = [int(line.rpartition(" ")[2]) for line in folded.read_text().splitlines()]
    assert f"{sum(counts)} samples" in took.stdout


async def test_a_profile_is_shown_where_its_file_cannot_be_written(tmp_path: Path) -> None:
    nowhere = tmp_path / "gone" / "stacks.txt"
    async with serving(diagnostics=True) as address:
        where = ("orchestrator", "--at", address, "--seconds", "0.05")
        took = await run("profile", *where, "--folded", str(nowhere))
    assert (took.exit_code, "samples" in took.stdout) == (2, True)
    assert "stacks.txt cannot be written" in took.stderr


async def test_tasks_and_a_profile_of_a_gateway() -> None:
    async with rig(control_key=KEY, diagnostics=True) as mesh:
        where = ("gateway", "--at", mesh.http)
        listed = await run("tasks", *where, "--control-key", KEY)
        took = await run("profile", *where, "--control-key", KEY, "--seconds", "0.05", "--json")
        strange = await run("tasks", *where)
        status = await Process("gateway", mesh.http, None, KEY).status()
    assert (listed.exit_code, took.exit_code, strange.exit_code) == (0, 0, 1)
    assert json.loads(took.stdout)["sample_count"] > 0
    assert "Authorization: Bearer KEY" in strange.stderr
    assert status["service"] == "gateway"


async def test_who_is_not_told_learns_what_to_do() -> None:
    async with serving() as address:
        off = await run("tasks", "orchestrator", "--at", address)
    assert (off.exit_code, "VOICEMESH_DIAGNOSTICS" in off.stderr) == (1, True)


def options(files: Files) -> tuple[str, ...]:
    return (
        "--tls-certificate",
        files.certificate,
        "--tls-key",
        files.key,
        "--tls-ca",
        files.ca,
    )


async def test_an_operator_is_told_by_a_server_with_certificates(tmp_path: Path) -> None:
    ca = PrivateCA()
    files = ca.files_for(tmp_path / "server", "orchestrator")
    settings = identity_settings(files, callers={"ops.example.com": ["operator"]})
    operator = ca.write(tmp_path / "ops", ca.issue("ops.example.com"))
    stranger = ca.files_for(tmp_path / "gateway", "gateway")
    async with identified("orchestrator", settings):
        server = MeshServer("orchestrator", settings, port=0)
    async with server:
        where = ("tasks", "orchestrator", "--at", server.address)
        told = await run(*where, *options(operator))
        refused = await run(*where, *options(stranger))
        plain = await run(*where)
        other = await run("tasks", "session-store", "--at", server.address, *options(operator))
    assert told.exit_code == 0, told.stderr
    assert (refused.exit_code, "VOICEMESH_CALLERS" in refused.stderr) == (1, True)
    assert plain.exit_code == other.exit_code == 3, "no TLS, or another service than was meant"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tasks", "planner"], "'planner' is not one of"),
        (["tasks"], "Missing argument"),
        (["profile", "gateway", "--seconds", "31"], "--seconds"),
        (["profile", "gateway", "--seconds", "0"], "--seconds"),
        (["tasks", "gateway", "--tls-key", "k.pem"], "give --tls-certificate and --tls-ca"),
        (
            ["tasks", "gateway", *options(Files("gone.pem", "gone.pem", "gone.pem"))],
            "gone.pem cannot be read",
        ),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], said: str) -> None:
    result = run_here(*arguments)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize("service", ["gateway", "orchestrator"])
def test_nobody_there_ends_with_3(service: str) -> None:
    port = Ports.free().planner
    where = f"http://127.0.0.1:{port}" if service == "gateway" else f"127.0.0.1:{port}"
    result = run_here("tasks", service, "--at", where)
    assert (result.exit_code, where in result.stderr) == (3, True)


def test_every_service_is_somewhere() -> None:
    assert len({usual_place(service) for service in SERVICES}) == len(SERVICES)


def test_tasks_at_one_place_are_one_line_and_the_crowd_is_first() -> None:
    chain = ["uvloop.run:1", "m.main:1", "a.outer:1", "b.middle:2", "c.inner:3", "asyncio.sleep:4"]
    waits = {"places": chain}
    rows = [{"name": "x", "places": ["z.alone:9"]}, *({"name": str(n), **waits} for n in range(3))]
    told = {"task_count": 7, "tasks": rows}
    text, full = shown(task_table(told)), shown(task_table(told, full=True))
    assert "7 tasks, 3 not told" in text
    assert text.index("a.outer:1") < text.index("z.alone:9")
    lines = [line.split()[-1] for line in text.splitlines()[2:]]
    assert lines == ["a.outer:1", "b.middle:2", "c.inner:3", "asyncio.sleep:4", "z.alone:9"]
    assert all(place in full for place in chain)


@pytest.mark.parametrize("chain", [(), ("asyncio.sleep:1",), ("m.main:1",)])
def test_a_chain_that_is_short_is_shown_as_it_is(chain: tuple[str, ...]) -> None:
    assert telling(chain) == chain


def test_a_profile_tells_shares_and_what_was_idle() -> None:
    rows = [
        {"stack": "m.main:1;asyncio.runners.Runner.run:118", "sample_count": 6},
        {"stack": "m.main:1;x.burns:7", "sample_count": 3},
        {"stack": "m.main:1;y.calls:2;x.burns:7", "sample_count": 1},
    ]
    text = shown(profile_table({"sample_count": 10, "stacks": rows}))
    assert [line.split() for line in text.splitlines()[-2:]] == [
        ["60.0%", "(idle)"],
        ["40.0%", "x.burns:7"],
    ]
    assert "0 samples" in shown(profile_table({"sample_count": 0, "stacks": []}))
