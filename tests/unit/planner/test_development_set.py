"""The development utterances stay understood: a change that loses some is seen here.

This is no measure of how well the planner understands; `tests/load/planner_eval.py` prints that, on
utterances it was not made on.
"""

from __future__ import annotations

from planner.intents import Embedder
from tests.load.planner_eval import judge
from tests.support import planner_development
from tests.support.planner_tools import BANK, DEMO, shipped


def test_the_demo_s_tools(embedder: Embedder) -> None:
    verdicts = [judge(one, DEMO, embedder) for one in planner_development.DEMO]

    assert [one.expected.text for one in verdicts if not one.right] == []
    for one in verdicts:
        assert one.slots_right == len(one.expected.slots), one.expected.text


def test_who_asks_about_a_fee_wants_no_refund_and_who_wants_one_is_understood(
    embedder: Embedder,
) -> None:
    verdicts = [judge(one, shipped(), embedder) for one in planner_development.FEES]

    assert [one.expected.text for one in verdicts if not one.right] == []
    for one in verdicts:
        assert one.slots_right == len(one.expected.slots), one.expected.text


def test_fifteen_tools(embedder: Embedder) -> None:
    verdicts = [judge(one, BANK, embedder) for one in planner_development.BANK]

    assert sum(one.right for one in verdicts) >= 0.95 * len(verdicts)
