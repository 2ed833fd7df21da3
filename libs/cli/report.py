"""What the terminal shows of a call: the words as they come, then a table a turn."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

_COLUMNS = (
    ("end_of_speech_to_final_ms", "final"),
    ("to_first_token_ms", "token"),
    ("to_first_segment_ms", "segment"),
    ("to_first_audio_ms", "audio"),
    ("to_first_frame_ms", "frame"),
)


class CallReport:
    """Shows events on a console; `status` is the progress line."""

    def __init__(self, console: Console, status: Status) -> None:
        self._console = console
        self._status = status
        self._turns: list[dict[str, Any]] = []

    def show(self, event: dict[str, Any]) -> None:
        """Show one event; kinds that say nothing to a person are passed over."""
        shown = getattr(self, f"_show_{event.get('kind')}", None)
        if shown is not None:
            shown(event)

    def table(self) -> Table:
        """Milliseconds from the end of the caller's speech, a row a turn."""
        table = Table(
            title="ms from the end of speech to the first of each (greeting: from media connect)",
            title_justify="left",
            box=None,
            padding=(0, 1),
            pad_edge=False,
        )
        for heading in ("turn", "outcome", "hear", "speak"):
            table.add_column(heading, no_wrap=True)
        for _, heading in _COLUMNS:
            table.add_column(heading, justify="right", no_wrap=True)
        for turn in self._turns:
            table.add_row(*_row(turn))
        return table

    def _show_call_started(self, event: dict[str, Any]) -> None:
        self._console.print(f"[dim]call {event['session']}, scenario {event['scenario']}[/dim]")

    def _show_transcript(self, event: dict[str, Any]) -> None:
        if event["final"]:
            self._console.print(f"[bold cyan]caller[/]  {escape(event['text'])}")
            self._status.update("the agent thinks")
        else:
            self._status.update(f"hearing: {escape(event['text'])}")

    def _show_turn_started(self, event: dict[str, Any]) -> None:
        self._status.update("the agent thinks")

    def _show_tool_call(self, event: dict[str, Any]) -> None:
        self._console.print(f"[dim]        tool {event['tool']}[/]")
        self._status.update(f"running {event['tool']}")

    def _show_segment(self, event: dict[str, Any]) -> None:
        self._console.print(f"[bold green]agent[/]   {escape(event['text'])}")
        self._status.update("the agent speaks")

    def _show_barge_in(self, event: dict[str, Any]) -> None:
        heard = event["heard_text_length"]
        self._console.print(f"[yellow]        interrupted after {heard} characters[/]")

    def _show_turn_finished(self, event: dict[str, Any]) -> None:
        self._turns.append(event)
        self._status.update("the caller's turn")

    def _show_error(self, event: dict[str, Any]) -> None:
        self._console.print(f"[red]error   {event['reason']}: {escape(event['message'])}[/]")

    def _show_call_cost(self, event: dict[str, Any]) -> None:
        short = [f"no price for {escape(thing)}" for thing in event["unpriced"]]
        if event["unmeasured_answers"]:
            short.append(f"{event['unmeasured_answers']} answers unmeasured")
        left_out = f", without: {'; '.join(short)}" if short else ""
        self._console.print(f"[dim]cost {event['total']} {event['currency']}{left_out}[/dim]")

    def _show_call_ended(self, event: dict[str, Any]) -> None:
        self._console.print(f"[dim]call ended: {event['reason']}[/]")


def _row(turn: dict[str, Any]) -> list[str]:
    timeline = turn["timeline"]
    outcome = turn["outcome"] + (f" ({turn['failure_reason']})" if turn["failure_reason"] else "")
    tiers = [turn["recognizer_tier"].upper(), turn["synthesizer_tier"].upper()]
    return [turn["turn"], outcome, *tiers, *(_ms(timeline.get(name)) for name, _ in _COLUMNS)]


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"
