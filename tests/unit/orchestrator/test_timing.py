"""Where a turn's time went, on a clock that the test turns."""

from __future__ import annotations

from collections.abc import AsyncIterator

from orchestrator.timing import TurnClock


class Hand:
    """A clock's hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


async def events(hand: Hand, *waits: float) -> AsyncIterator[int]:
    for number, wait in enumerate(waits):
        hand.at += wait
        yield number


async def test_waits_for_the_model_count_until_the_first_segment() -> None:
    hand = Hand()
    clock = TurnClock(hand, began=99.0)
    async for number in clock.waiting_for_model(events(hand, 0.5, 0.25, 4.0)):
        hand.at += 0.125  # our own work between the tokens
        if number == 1:
            clock.segment_sent()
    assert clock.first_token == 1.5
    assert clock.model == 0.75
    assert clock.first_segment == 2.0


async def test_tools_that_ran_together_count_as_the_longest() -> None:
    clock = TurnClock(Hand())
    clock.tools_ran([0.25, 1.0])
    clock.tools_ran([0.5])
    assert clock.tools == 1.5
    clock.segment_sent()
    clock.tools_ran([8.0])
    assert clock.tools == 1.5, "after the first segment nobody waits for the first segment"


async def test_a_turn_without_a_model() -> None:
    clock = TurnClock(Hand())
    clock.segment_sent()
    assert clock.first_token is None
    assert (clock.first_segment, clock.model, clock.tools) == (0.0, 0.0, 0.0)
