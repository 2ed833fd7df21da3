"""What a call used of paid things, in the units that they are billed by. Pure."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Unit(StrEnum):
    """What is counted."""

    INPUT_TOKEN = "input_token"  # noqa: S105 (a token of text)
    """A token that the model read anew."""
    CACHED_TOKEN = "cached_token"  # noqa: S105
    """A token that the model read and had kept from before."""
    OUTPUT_TOKEN = "output_token"  # noqa: S105
    """A token that the model wrote."""
    SPEECH_SECOND = "speech_second"
    """A second of audio sent to a recogniser, silence included."""
    SYNTHESIS_CHARACTER = "synthesis_character"
    """A billable character of text sent to a synthesiser, spoken to its end or not."""
    TELEPHONY_MINUTE = "telephony_minute"
    """A minute of a call, in parts."""


@dataclass(frozen=True, slots=True)
class Thing:
    """What was used, by whom."""

    provider: str
    """Whose price list holds: `azure-openai`, `local`."""
    model: str
    """The model, voice or line as the price list names it; empty: whatever the provider's one is."""
    unit: Unit
    agent: str = ""
    """The agent that had the floor; empty where none had."""
    tier: str = ""
    """How the speech client was come by: `warm`, `dedicated` or `cold`."""


class CallUsage:
    """Sums of one call."""

    def __init__(self) -> None:
        self._sums: dict[Thing, Decimal] = {}
        self.unmeasured = 0
        """Answers of a model of which nobody told the tokens: they cost, and are in no sum."""

    def add(self, thing: Thing, quantity: Decimal | int) -> None:
        """Used this much more. Raises ValueError for less than nothing."""
        if quantity < 0:
            raise ValueError(f"{thing.unit}: {quantity} is less than nothing")
        if quantity:
            self._sums[thing] = self._sums.get(thing, Decimal(0)) + quantity

    def add_tokens(
        self, provider: str, model: str, agent: str, *, read: int, cached: int, written: int
    ) -> None:
        """Tokens as models tell them: `cached` are among those `read`."""
        for unit, quantity in (
            (Unit.INPUT_TOKEN, max(0, read - cached)),
            (Unit.CACHED_TOKEN, cached),
            (Unit.OUTPUT_TOKEN, written),
        ):
            self.add(Thing(provider, model, unit, agent), quantity)

    def sums(self) -> dict[Thing, Decimal]:
        """What was used so far."""
        return dict(self._sums)

    def total(self, unit: Unit) -> Decimal:
        """All that was used in a unit."""
        return sum((q for thing, q in self._sums.items() if thing.unit is unit), Decimal(0))


def billable_characters(text: str) -> int:
    """Characters as speech services bill them: Chinese characters, wherever used, count twice.

    That is Azure's rule; https://learn.microsoft.com/azure/ai-services/speech-service/text-to-speech.
    """
    return len(text) + sum(1 for c in text if "CJK UNIFIED" in unicodedata.name(c, ""))
