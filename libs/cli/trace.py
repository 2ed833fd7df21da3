"""`voicemesh trace SESSION`: where the time of a call's turns went, as a waterfall or as JSON.

The gateway keeps the calls and adds up the parts; here they are asked for and drawn.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import aiohttp
import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.bodies import whole_body

ASK_SECONDS = 5.0
BAR_CELLS = 28
WRONG = 2
"""Exit code where there is nothing to show."""
MAX_ANSWER_BYTES = 8 * 1024 * 1024
_COLOURS = {
    "final": "cyan",
    "first_token": "magenta",
    "first_segment": "blue",
    "first_audio": "green",
    "first_frame": "yellow",
}


class TraceError(Exception):
    """The call cannot be shown. The message says why and what to do."""


@click.command()
@click.argument("session")
@click.option("--control-url", default="http://127.0.0.1:8080", show_default=True)
@click.option("--control-key", envvar="VOICEMESH_CONTROL_KEY", default="", help="Key of the REST.")
@click.option("--json", "as_json", is_flag=True, help="The gateway's answer as one JSON object.")
def trace(session: str, control_url: str, control_key: str, as_json: bool) -> None:
    """Show where the time of each turn of the call SESSION went.

    `voicemesh call` prints the session when it begins; the gateway keeps ended calls for a while.
    """
    try:
        told = asyncio.run(timeline(control_url, session, control_key))
    except TraceError as error:
        click.echo(f"voicemesh: {error}", err=True)
        raise click.exceptions.Exit(WRONG) from None
    if as_json:
        click.echo(json.dumps(told))
    else:
        Console().print(waterfall(told))


async def timeline(control_url: str, session: str, key: str = "") -> dict[str, Any]:
    """The gateway's timeline of a call. Raises TraceError."""
    url = f"{control_url}/api/v1/calls/{quote(session, safe='')}/timeline"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as http,
            http.get(url) as answer,
        ):
            text = (await whole_body(answer, MAX_ANSWER_BYTES)).decode(errors="replace")
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        why = str(error) or "no answer in time"
        raise TraceError(
            f"no gateway answers at {control_url}: {why}; start a mesh with `voicemesh up`, or"
            " name one with --control-url"
        ) from None
    try:
        return _told(answer.status, text, control_url)
    except TraceError as error:  # the gateway repeats nothing of what it was asked
        raise TraceError(f"{session}: {error}") from None


def _told(status: int, text: str, control_url: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if status == 200 and isinstance(body, dict) and isinstance(body.get("turns"), list):
        return body
    said = body.get("detail") if isinstance(body, dict) else None
    raise TraceError(said or f"{control_url} answered {status}, and not as a gateway does")


def waterfall(told: dict[str, Any]) -> Table:
    """A line for each part of each turn, its bar on one scale for the whole call."""
    longest = max((_end(turn) for turn in told["turns"]), default=0.0)
    made = Table(
        title=f"call {told['session']}\nms from the end of speech (greeting: from media connect)",
        title_justify="left",
        box=None,
        padding=(0, 1),
        pad_edge=False,
    )
    for heading in ("turn", "until"):
        made.add_column(heading, no_wrap=True)
    made.add_column("ms", justify="right", no_wrap=True)
    made.add_column("tier", no_wrap=True)
    made.add_column("", min_width=BAR_CELLS)
    for turn in told["turns"]:
        _add_turn(made, turn, longest)
    return made


def _add_turn(made: Table, turn: dict[str, Any], longest: float) -> None:
    label = f"{turn['turn']} {turn['agent']}"
    for part in turn["parts"]:
        bar = " " * cells(part["begin_ms"], longest)
        bar += "█" * max(1, cells(part["begin_ms"] + part["ms"], longest) - len(bar))
        made.add_row(
            Text(label),
            part["name"],
            f"{part['ms']:.0f}",
            _tier(turn, part["name"]),
            Text(bar[:BAR_CELLS], style=_COLOURS.get(part["name"], "")),
        )
        label = ""
    made.add_row(Text(label), *_sum(turn), style="bold", end_section=True)


def cells(ms: float, longest: float) -> int:
    """How many cells of a bar `ms` are, where `longest` milliseconds fill it."""
    return min(BAR_CELLS - 1, int(ms / longest * BAR_CELLS)) if longest > 0 else 0


def _sum(turn: dict[str, Any]) -> tuple[str, str, str, str]:
    whole = turn["mouth_to_ear_ms"]
    heard = turn["timeline"].get("to_last_heard_ms")
    outcome = "under way" if turn["state"] == "live" else turn["outcome"]
    said = [outcome + (f" ({turn['failure_reason']})" if turn["failure_reason"] else "")]
    said += [f"{name} {turn[f'{name}_ms']:.0f}" for name in ("model", "tool") if turn[f"{name}_ms"]]
    said += [f"heard until {heard:.0f}"] if heard is not None else []
    return "mouth to ear", "" if whole is None else f"{whole:.0f}", "", ", ".join(said)


def _tier(turn: dict[str, Any], part: str) -> str:
    """Of the client that did the part: the recogniser heard the final, the synthesiser spoke."""
    client = {"final": "recognizer", "first_audio": "synthesizer"}.get(part)
    return str(turn[f"{client}_tier"]).upper() if client else ""


def _end(turn: dict[str, Any]) -> float:
    return max((part["begin_ms"] + part["ms"] for part in turn["parts"]), default=0.0)
