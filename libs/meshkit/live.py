"""Settings that change while the process runs: who listens, and which value is in force.

    settings.live.on_change("log_level", lambda level: logger.setLevel(level.upper()))

A listener that raises refuses the value: the old one stays in force, for it and for `value`.
Where changes come from is left to `meshkit.configuration`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Listener = Callable[[Any], None]
"""Takes a new value; raises ValueError to refuse it. Called in the event loop, so it must be quick."""


class SettingRefused(Exception):
    """A listener did not take a value. The message says why."""


@dataclass
class Live:
    """The live settings of one process. `names` are those that may change."""

    names: frozenset[str] = frozenset()
    generation: int = 0
    """How often settings were taken over since the start."""
    waiting: tuple[str, ...] = ()
    """Settings that changed and take effect at the next start, by name."""
    _listeners: dict[str, list[Listener]] = field(default_factory=dict)
    _values: dict[str, Any] = field(default_factory=dict)

    def on_change(self, name: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each new value of a setting; what is returned ends that.

        Raises KeyError for a setting that is not live.
        """
        self._known(name)
        listeners = self._listeners.setdefault(name, [])
        listeners.append(listener)
        return lambda: listeners.remove(listener)

    def value(self, name: str, at_start: Any) -> Any:
        """The value in force; `at_start` if it never changed. Raises KeyError if it is not live."""
        self._known(name)
        return self._values.get(name, at_start)

    def change(self, name: str, value: Any, before: Any) -> None:
        """Put a value in force. Raises SettingRefused, with the value `before` in force again."""
        self._known(name)
        told: list[Listener] = []
        for listener in tuple(self._listeners.get(name, ())):
            try:
                listener(value)
            except ValueError as error:
                for earlier in told:
                    earlier(before)
                raise SettingRefused(str(error)) from None
            told.append(listener)
        self._values[name] = value

    def taken_over(self, waiting: Sequence[str]) -> None:
        """Remember that settings were taken over, and which of them wait for the next start."""
        self.generation += 1
        self.waiting = tuple(waiting)

    def _known(self, name: str) -> None:
        if name not in self.names:
            raise KeyError(f"{name} is not live: it changes at the next start only")
