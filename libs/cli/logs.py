"""The lines of all parts on one terminal, each with its part's name in a colour of its own."""

from __future__ import annotations

from collections import deque

from rich.console import Console
from rich.markup import escape

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "red", "white")
_WIDTH = 13
KEPT_LINES = 400


class MeshLogs:
    """Shows lines as they come; with `quiet`, keeps the last ones in case something fails."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._kept: deque[tuple[str, str]] = deque(maxlen=KEPT_LINES)
        self._colours: dict[str, str] = {}

    def show(self, part: str, line: str) -> None:
        """One line of a part."""
        if self._quiet:
            self._kept.append((part, line))
        else:
            self._print(part, line)

    def flush_if_failing(self, failing: bool) -> None:
        """Show what was kept, if something failed."""
        while failing and self._kept:
            self._print(*self._kept.popleft())

    def _print(self, part: str, line: str) -> None:
        colour = self._colours.setdefault(part, _COLOURS[len(self._colours) % len(_COLOURS)])
        self._console.print(f"[{colour}]{part:<{_WIDTH}}[/] {escape(line)}", highlight=False)
