"""What people type: `voicemesh ingest DOCUMENTS KNOWLEDGE`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from meshkit.settings import SettingsError, load_settings
from meshkit.startup import StartupError
from tool_executor.ingest.conversion import FolderWrong, Report, convert
from tool_executor.knowledge import CorpusInvalid, KnowledgeUnavailable
from tool_executor.settings import ToolExecutorSettings
from tool_executor.wiring import make_embedder, make_knowledge_base

INCOMPLETE, NO_EMBEDDINGS = 1, 3


@click.command()
@click.argument("documents", type=click.Path(path_type=Path))
@click.argument("knowledge", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--no-embed", is_flag=True, help="Only convert; the tool-executor embeds at its start."
)
def ingest(documents: Path, knowledge: Path, no_embed: bool) -> None:
    """Make a KNOWLEDGE folder of DOCUMENTS: Markdown, HTML and PDF.

    Each folder in DOCUMENTS is a collection. Only what changed is converted and embedded; what is
    gone from DOCUMENTS is taken out. Exit codes: 0 all done, 1 some documents could not be taken
    in, 2 wrong usage, 3 the embeddings endpoint, or Cosmos DB, does not answer.
    """
    console = Console(stderr=True)
    try:
        report = _convert(documents, knowledge, console)
    except FolderWrong as error:
        raise click.UsageError(str(error)) from None
    _tell(report)
    if not no_embed:
        _embed(knowledge, console)
    click.echo(f"serve it: VOICEMESH_KNOWLEDGE_FOLDER={knowledge.resolve()} voicemesh up")
    if report.failed:
        raise click.exceptions.Exit(INCOMPLETE)


def _convert(documents: Path, knowledge: Path, console: Console) -> Report:
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("converting", total=None)

        def progress(done: int, total: int, source: str) -> None:
            bar.update(task, completed=done, total=total, description=f"converting {source}")

        return convert(documents, knowledge, progress)


def _tell(report: Report) -> None:
    click.echo(
        f"{len(report.converted)} converted, {report.unchanged} unchanged,"
        f" {len(report.removed)} removed, {len(report.failed)} failed"
    )
    for source, why in report.failed.items():
        click.echo(f"  {source} {why}", err=True)


def _embed(knowledge: Path, console: Console) -> None:
    try:
        settings = load_settings(ToolExecutorSettings).model_copy(
            update={"knowledge_folder": str(knowledge)}
        )
        passages = asyncio.run(_embedded(settings, console))
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    except (CorpusInvalid, StartupError) as error:
        raise click.UsageError(str(error)) from None
    except KnowledgeUnavailable as error:
        click.echo(
            f"the passages cannot be embedded now ({error}): what is converted and embedded so"
            " far is kept. Start a mesh with `voicemesh up`, or set VOICEMESH_EMBEDDINGS_BASE_URL,"
            " and run this again; or add --no-embed.",
            err=True,
        )
        raise click.exceptions.Exit(NO_EMBEDDINGS) from None
    click.echo(f"{passages} passages are ready to be searched")


async def _embedded(settings: ToolExecutorSettings, console: Console) -> int:
    embedder = make_embedder(settings)
    base = make_knowledge_base(settings, embedder)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("embedding", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        try:
            return len(await base.prepare(progress))
        finally:
            await base.aclose()
            await embedder.aclose()
