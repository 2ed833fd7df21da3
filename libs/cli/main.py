"""The command line. Exit codes: 0 done, 1 the mesh broke, 2 wrong usage, 3 no mesh to call,
4 the call failed, 130 interrupted, 143 told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import click
from rich.console import Console

from acs_standin.caller import DialError, PlacedCall
from cli.call import CallFailed, Conversation, Line
from cli.config import config
from cli.diagnose import profile, tasks
from cli.doctor import doctor
from cli.extensions import ExtensibleGroup
from cli.identity import Identity, identity_of, identity_options
from cli.lines import LinesError, demo_lines, from_file, from_text
from cli.logs import MeshLogs
from cli.mesh import LocalMesh
from cli.pools import PoolsUnreachable
from cli.pools import once as pools_once
from cli.pools import show as show_pools
from cli.pools import table as pools_table
from cli.ports import Ports
from cli.process import MeshError
from cli.report import CallReport
from cli.tools import tools
from cli.trace import trace

MESH_BROKE, USAGE, NO_MESH, CALL_FAILED, INTERRUPTED, STOPPED = 1, 2, 3, 4, 130, 143

DATA = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("var/voicemesh"),
    show_default=True,
    help="Folder in which the mesh remembers.",
)
RECORD = click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("var/call.wav"),
    show_default=True,
    help="Stereo recording: caller left, agent right.",
)
TURN_SECONDS = click.option(
    "--turn-seconds", type=float, default=30.0, show_default=True, help="Patience for one answer."
)


@dataclass(frozen=True, slots=True)
class Target:
    """The mesh that is called."""

    media_url: str
    control_url: str
    speech_pool: str
    scenario: str
    control_key: str = ""
    ticket: str = ""
    identity: Identity | None = None
    """Towards the speech pool."""


@click.group(cls=ExtensibleGroup)
@click.version_option(package_name="voicemesh")
def main() -> None:
    """voicemesh answers and places phone calls with AI agents."""


main.add_command(tools)
main.add_command(config)
main.add_command(trace)
main.add_command(doctor)
main.add_command(tasks)
main.add_command(profile)


@main.command()
@DATA
@click.option("--free-ports", is_flag=True, help="Take free ports instead of the usual ones.")
@click.option(
    "--redis-url",
    envvar="VOICEMESH_REDIS_URL",
    default="",
    help="Use this Redis instead of the embedded Valkey.",
)
@click.option(
    "--no-planner", is_flag=True, help="Do not start the local planner (a real model is set)."
)
@click.option("--no-ring", is_flag=True, help="Keep no traces and metrics for the console page.")
def up(data: Path, free_ports: bool, redis_url: str, no_planner: bool, no_ring: bool) -> None:
    """Run the mesh on this machine until Ctrl-C."""
    console = Console()
    ports = Ports.free() if free_ports else Ports()
    mesh = LocalMesh(
        ports,
        data=data,
        print_line=MeshLogs(console).show,
        environment={
            "VOICEMESH_LOG_FORMAT": "console",
            # All of it listens on loopback, and tasks and profiles hold no values.
            "VOICEMESH_DIAGNOSTICS": os.environ.get("VOICEMESH_DIAGNOSTICS", "true"),
        },
        redis_url=redis_url,
        planner=not no_planner,
        ring=not no_ring,
    )
    _run(_up(mesh, console))


@main.command()
@click.option(
    "--audio",
    "audio",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A line of the caller: 16 kHz mono WAV. May be given several times.",
)
@click.option(
    "--text",
    "text",
    multiple=True,
    help="A line that the mesh's own synthesiser speaks for the caller.",
)
@click.option("--scenario", default="banking", show_default=True)
@click.option("--media-url", default="ws://127.0.0.1:8081/api/v1/media/stream", show_default=True)
@click.option("--control-url", default="http://127.0.0.1:8080", show_default=True)
@click.option("--speech-pool", default="127.0.0.1:50051", show_default=True, help="For --text.")
@click.option("--ticket", default="", help="Media ticket, if the gateway asks for one.")
@click.option("--control-key", envvar="VOICEMESH_CONTROL_KEY", default="", help="Key of the REST.")
@RECORD
@TURN_SECONDS
@identity_options(from_environment=True)
@click.option("--json", "as_json", is_flag=True, help="Print what happened as one JSON object.")
def call(
    audio: tuple[Path, ...],
    text: tuple[str, ...],
    scenario: str,
    media_url: str,
    control_url: str,
    speech_pool: str,
    ticket: str,
    control_key: str,
    record: Path,
    turn_seconds: float,
    tls_certificate: str,
    tls_key: str,
    tls_ca: str,
    as_json: bool,
) -> None:
    """Call a running mesh as a phone would; --audio lines first, then --text lines."""
    if not audio and not text:
        raise click.UsageError('nothing to say; give --audio FILE.wav or --text "..."')
    identity = identity_of(tls_certificate, tls_key, tls_ca)
    target = Target(media_url, control_url, speech_pool, scenario, control_key, ticket, identity)
    _run(_call(target, audio, text, record, turn_seconds, as_json))


@main.command()
@DATA
@RECORD
@TURN_SECONDS
def demo(data: Path, record: Path, turn_seconds: float) -> None:
    """Run a mesh on free ports, make one call to it with the demo caller's voice, stop it."""
    _run(_demo(data, record, turn_seconds))


@main.command()
@click.option("--speech-pool", default="127.0.0.1:50051", show_default=True, help="The pod to ask.")
@click.option("--once", "only_once", is_flag=True, help="Show the pools as they are now, and end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each state.")
@identity_options(from_environment=True)
def pools(
    speech_pool: str,
    only_once: bool,
    as_json: bool,
    tls_certificate: str,
    tls_key: str,
    tls_ca: str,
) -> None:
    """Show the speech pools of a running mesh as they change."""
    identity = identity_of(tls_certificate, tls_key, tls_ca)
    _run(_pools(speech_pool, identity, only_once, as_json))


def _run(work: Coroutine[Any, Any, int]) -> None:
    try:
        code = asyncio.run(_stoppable(work))
    except KeyboardInterrupt:
        code = INTERRUPTED
    except asyncio.CancelledError:
        code = STOPPED
    except MeshError as error:
        click.echo(f"voicemesh: {error}", err=True)
        code = MESH_BROKE
    except (CallFailed, LinesError) as error:
        click.echo(f"voicemesh: {error}", err=True)
        code = CALL_FAILED
    except PoolsUnreachable as error:
        click.echo(f"voicemesh: {error}; start a mesh with `voicemesh up`", err=True)
        code = NO_MESH
    except DialError as error:
        click.echo(f"voicemesh: {error}; start a mesh with `voicemesh up`", err=True)
        code = NO_MESH
    sys.exit(code)


async def _stoppable(work: Coroutine[Any, Any, int]) -> int:
    """The work, cancelled by SIGTERM: ended at once, it would leave the processes of its mesh behind."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


async def _up(mesh: LocalMesh, console: Console) -> int:
    async with mesh:
        console.print(
            f"[bold]the mesh is up[/]: calls on {mesh.media_url}, REST on {mesh.control_url}"
        )
        console.print('call it from another terminal: voicemesh call --text "What is my balance?"')
        console.print(f"watch its calls: {mesh.control_url}/console")
        console.print("Ctrl-C stops it")
        try:
            await mesh.until_stopped()
        except asyncio.CancelledError:
            console.print("stopping")
            raise
    return 0


async def _pools(address: str, identity: Identity | None, only_once: bool, as_json: bool) -> int:
    if not only_once:
        await show_pools(address, Console(), as_json=as_json, identity=identity)
    elif as_json:
        click.echo(json.dumps(await pools_once(address, identity)))
    else:
        Console().print(pools_table(await pools_once(address, identity)))
    return 0


async def _demo(data: Path, record: Path, turn_seconds: float) -> int:
    console = Console()
    logs = MeshLogs(console, quiet=True)
    with console.status("starting seven processes, loading the speech models"):
        mesh = LocalMesh(Ports.free(), data=data, print_line=logs.show)
        await mesh.__aenter__()
    try:
        target = Target(
            mesh.media_url, mesh.control_url, f"127.0.0.1:{mesh.ports.speech_pool}", "banking"
        )
        return await _call(target, tuple(demo_lines()), (), record, turn_seconds, False)
    finally:
        logs.flush_if_failing(sys.exc_info()[0] is not None)
        await mesh.stop()


async def _call(
    target: Target,
    audio: tuple[Path, ...],
    text: tuple[str, ...],
    record: Path,
    turn_seconds: float,
    as_json: bool,
) -> int:
    console = Console(quiet=as_json)
    await _reachable(target.control_url)
    lines = [from_file(path) for path in audio]
    lines += [await from_text(said, target.speech_pool, target.identity) for said in text]
    conversation = await _converse(target, lines, record, turn_seconds, console)
    if as_json:
        click.echo(json.dumps(_as_json(conversation, record)))
    failed = conversation.progress.failed_turns
    if failed:
        reasons = ", ".join(f"{turn['turn']} {turn['failure_reason']}" for turn in failed)
        raise CallFailed(f"turns were given up: {reasons}")
    return 0


async def _converse(
    target: Target, lines: list[Line], record: Path, turn_seconds: float, console: Console
) -> Conversation:
    query = f"scenario={target.scenario}" + (f"&ticket={target.ticket}" if target.ticket else "")
    with console.status("dialling") as status:
        report = CallReport(console, status)
        async with PlacedCall(f"{target.media_url}?{query}") as placed:
            conversation = Conversation(placed, report.show, turn_seconds)
            try:
                await conversation.run(lines, target.control_url, target.control_key)
            finally:
                record.parent.mkdir(parents=True, exist_ok=True)
                placed.recording.write(record)
    console.print(report.table())
    length = placed.recording.seconds
    console.print(f"recording: {record} ({length:.1f} s; caller left, agent right)")
    return conversation


async def _reachable(control_url: str) -> None:
    """Raises DialError with what is missing, before anything is said."""
    timeout = aiohttp.ClientTimeout(total=5.0)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(f"{control_url}/readyz") as answer,
        ):
            body = (await answer.text())[:300]
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise DialError(f"no gateway answers at {control_url}: {error}") from None
    if answer.status != 200:
        raise DialError(f"the gateway at {control_url} is not ready: {body}")


def _as_json(conversation: Conversation, record: Path) -> dict[str, Any]:
    progress, call = conversation.progress, conversation.call
    return {
        "session": call.call_connection_id,
        "transcript": [{"who": who, "text": said} for who, said in progress.transcripts],
        "tools": progress.tools,
        "turns": progress.finished,
        "end_reason": progress.end_reason,
        "recording": str(record),
        "recording_seconds": round(call.recording.seconds, 2),
        "frame_lateness_seconds": asdict(call.arrivals)["lateness_seconds"],
    }
