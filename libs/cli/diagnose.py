"""`voicemesh tasks` and `voicemesh profile`: what a process of the mesh that hangs or burns is at."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console, Group
from rich.table import Table

from cli.diagnostics import Process, Refused, Unanswered, usual_place
from cli.identity import identity_of, identity_options
from meshkit.call_graph import SERVICES
from meshkit.diagnostics import DEFAULT_SECONDS, MAX_SECONDS

REFUSED, NOBODY = 1, 3
"""Exit codes: it does not tell; nobody answers."""
SHOWN_PLACES = 20
SHOWN_OF_CHAIN = 3
_PLUMBING = sys.stdlib_module_names | {"uvloop"}
_IDLE = ("asyncio.runners.", "selectors.", "uvloop.")
"""Modules in whose frames a loop waits for something to do."""

F = TypeVar("F", bound=Callable[..., Any])


def _asking(command: F) -> F:
    """The argument and options of both commands."""
    options = (
        click.argument("service", type=click.Choice(SERVICES)),
        click.option(
            "--at",
            "where",
            default="",
            help="host:port of the pod, of the gateway the URL of its control plane; default: where"
            " `voicemesh up` has it.",
        ),
        click.option(
            "--control-key", envvar="VOICEMESH_CONTROL_KEY", default="", help="For the gateway."
        ),
        identity_options(from_environment=True),
        click.option("--json", "as_json", is_flag=True, help="The answer as one JSON object."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_asking
@click.option("--full", is_flag=True, help="The whole chain of awaits, not only its end.")
def tasks(
    service: str,
    where: str,
    control_key: str,
    tls_certificate: str,
    tls_key: str,
    tls_ca: str,
    as_json: bool,
    full: bool,
) -> None:
    """Show where the tasks of SERVICE wait, those that wait at one place as one line.

    A pod with certificates tells operators only; one without, and the gateway, only while
    VOICEMESH_DIAGNOSTICS is true. Ends with 1 if it does not tell, 3 if nobody answers.
    """
    identity = identity_of(tls_certificate, tls_key, tls_ca)
    process = Process(service, where or usual_place(service), identity, control_key)
    told = _asked(process.tasks())
    if as_json:
        click.echo(json.dumps(told))
    else:
        Console().print(task_table(told, full=full))


@click.command()
@_asking
@click.option(
    "--seconds",
    type=click.FloatRange(0, MAX_SECONDS, min_open=True),
    default=DEFAULT_SECONDS,
    show_default=True,
    help="How long to look.",
)
@click.option(
    "--folded",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the stacks to this file, as flame graphs read them.",
)
def profile(
    service: str,
    where: str,
    control_key: str,
    tls_certificate: str,
    tls_key: str,
    tls_ca: str,
    as_json: bool,
    seconds: float,
    folded: Path | None,
) -> None:
    """Show what the event loop of SERVICE spends its time on.

    Who is told, and the exit codes, are those of `voicemesh tasks`.
    """
    identity = identity_of(tls_certificate, tls_key, tls_ca)
    process = Process(service, where or usual_place(service), identity, control_key)
    told = _asked(process.profile(seconds))
    if as_json:
        click.echo(json.dumps(told))
    else:
        Console().print(profile_table(told))
    if folded is not None:
        _write_folded(folded, told)


def _write_folded(file: Path, told: dict[str, Any]) -> None:
    rows = (f"{row['stack']} {row['sample_count']}\n" for row in told["stacks"])
    try:
        file.write_text("".join(rows))
    except OSError as error:
        raise click.BadParameter(
            f"{file} cannot be written: {error.strerror}", param_hint="--folded"
        ) from None


def _asked(asking: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    try:
        return asyncio.run(asking)
    except Unanswered as error:
        click.echo(f"voicemesh: {error}", err=True)
        code = REFUSED if isinstance(error, Refused) else NOBODY
        raise click.exceptions.Exit(code) from None


def task_table(told: dict[str, Any], *, full: bool = False) -> Group:
    """A line for each place at which tasks wait, the most crowded first."""
    chains = Counter(tuple(task["places"]) for task in told["tasks"])
    left_out = told["task_count"] - len(told["tasks"])
    made = _table()
    made.add_column("tasks", justify="right", no_wrap=True)
    made.add_column("waits at", overflow="fold")
    for chain, count in chains.most_common():
        shown = chain if full else telling(chain)
        made.add_row(str(count), "\n  ".join(shown) or "is over")
    title = f"{told['task_count']} tasks" + (f", {left_out} not told" if left_out else "")
    return Group(title, made)


def telling(chain: tuple[str, ...]) -> tuple[str, ...]:
    """Of a chain of awaits the last places outside the standard library, and the very last."""
    ours = [place for place in chain if place.partition(".")[0] not in _PLUMBING][-SHOWN_OF_CHAIN:]
    return tuple(ours) if ours and ours[-1] == chain[-1] else (*ours, *chain[-1:])


def profile_table(told: dict[str, Any]) -> Group:
    """Where the loop was and how often, waiting for work as one line."""
    leaves: Counter[str] = Counter()
    for row in told["stacks"]:
        leaf = row["stack"].rpartition(";")[2]
        leaves["(idle)" if leaf.startswith(_IDLE) else leaf] += row["sample_count"]
    made = _table()
    made.add_column("share", justify="right", no_wrap=True)
    made.add_column("the loop was at", overflow="fold")
    for place, count in leaves.most_common(SHOWN_PLACES):
        made.add_row(f"{count / max(1, told['sample_count']):.1%}", place)
    return Group(f"{told['sample_count']} samples", made)


def _table() -> Table:
    return Table(box=None, pad_edge=False)
