"""What the terminal says of a call's cost, and of what the cost is short of."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from cli.report import CallReport


def shown(**event: Any) -> str:
    console = Console(file=io.StringIO(), width=200)
    with console.status("") as status:
        CallReport(console, status).show({"kind": "call_cost", "currency": "USD", **event})
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    ("unpriced", "unmeasured", "line"),
    [
        ([], 0, "cost 0.012300 USD\n"),
        (["acme x [y]"], 0, "cost 0.012300 USD, without: no price for acme x [y]\n"),
        ([], 2, "cost 0.012300 USD, without: 2 answers unmeasured\n"),
    ],
)
def test_the_cost_and_what_is_missing(unpriced: list[str], unmeasured: int, line: str) -> None:
    assert line in shown(total="0.012300", unpriced=unpriced, unmeasured_answers=unmeasured)
