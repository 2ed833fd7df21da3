"""`voicemesh doctor`: whether this machine, or a deployment, has what a mesh needs, and what to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli import doctor_deployment as deployed
from cli.doctor_checks import Finding, Status
from cli.doctor_machine import machine
from cli.identity import identity_of, identity_options

SICK = 1
"""Exit code where a check failed; warnings alone give 0."""
_COLOURS = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}


@click.command()
@click.option(
    "--deployment",
    is_flag=True,
    help="Ask the services that the settings here name, in place of looking at this machine.",
)
@click.option("--control-url", default="http://127.0.0.1:8080", show_default=True)
@click.option("--control-key", envvar="VOICEMESH_CONTROL_KEY", default="", help="Key of the REST.")
@identity_options(from_environment=False)
@click.option(
    "--clock-reference", default="", help="http(s) URL of a server that knows the time, to compare."
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("var/voicemesh"),
    show_default=True,
    help="Folder in which a mesh would remember.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object: ok, and each finding.")
def doctor(
    deployment: bool,
    control_url: str,
    control_key: str,
    tls_certificate: str,
    tls_key: str,
    tls_ca: str,
    clock_reference: str,
    data: Path,
    as_json: bool,
) -> None:
    """Check this machine, or a deployment, and say what to do.

    A deployment is checked by the settings that a service started here would read: run it where
    those are set, or name forwarded ports in the targets. Services are asked with an operator's
    certificate if one is given, else with the one that the settings name, which is told less. Ends
    with 1 if anything fails.
    """
    operator = identity_of(tls_certificate, tls_key, tls_ca)
    if deployment:
        looking = deployed.deployment(control_url, clock_reference, operator, control_key)
    else:
        looking = _machine(clock_reference, data)
    findings = asyncio.run(looking)
    healthy = all(finding.status is not Status.FAIL for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": healthy, "findings": [asdict(f) for f in findings]}))
    else:
        Console().print(table(findings))
    if not healthy:
        raise click.exceptions.Exit(SICK)


async def _machine(clock_reference: str, data: Path) -> list[Finding]:
    clock = await deployed.clock(clock_reference) if clock_reference else []
    return [*machine(data), *clock]


def table(findings: Sequence[Finding]) -> Table:
    """A line a finding, and under it what to do."""
    made = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    made.add_column(no_wrap=True)
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for finding in findings:
        status = Text(finding.status.value, style=_COLOURS[finding.status])
        said = Text(finding.said)
        if finding.advice:
            said.append(f"\n{finding.advice}", style="dim")
        made.add_row(status, Text(finding.check), said)
    return made
