"""A refund over a whole call: asked for, consented to, confirmed, done once; and what is refused.

The processes, the planner, the store and the tools are the real ones; only the voices are tones, so
that what is said is heard exactly.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio

from acs_standin.caller import PlacedCall
from cli.call import Conversation, Line
from cli.mesh import LocalMesh
from cli.ports import Ports
from tests.support.scripted_mesh import ENGINE, ROOT, silent
from tests.support.tonetext import encode
from tool_executor.limits import PER_DAY
from tool_executor.refunds import Refunds
from tool_executor.tools import REFUNDS_FILE
from tool_executor.tools.refunds import MAY_I

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(400),
]
TURN_SECONDS = 60.0
"""A tone takes 60 ms a letter, and a question has more than a hundred."""


@dataclass
class RefundMesh:
    """A mesh, and what its bank and its audit log hold."""

    mesh: LocalMesh
    data: Path

    async def call(self, *lines: str) -> list[str]:
        """What the agent said in a call, an answer a line; the greeting is the first."""
        async with PlacedCall(f"{self.mesh.media_url}?scenario=banking") as call:
            conversation = Conversation(call, lambda event: None, turn_seconds=TURN_SECONDS)
            spoken = [Line(text, encode(text)) for text in lines]
            await conversation.run(spoken, self.mesh.control_url)
        answers: list[str] = []
        for who, text in conversation.progress.transcripts:
            if who == "caller":
                answers.append("")
            elif answers:
                answers[-1] = f"{answers[-1]} {text}".strip()
        return answers

    def refunded(self, client_id: str) -> list[tuple[str, Decimal]]:
        """Fee and amount of what the bank booked."""
        kept = Refunds(self.data / "tool-executor" / REFUNDS_FILE).of(client_id)
        return [(one.fee.name, one.fee.amount) for one in kept]

    def outcomes(self, client_id: str) -> list[str]:
        """How this client's calls of refund_fee came out, by the audit log."""
        files = sorted((self.data / "tool-executor" / "audit").glob("*.jsonl"))
        lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        return [
            str(line["outcome"])
            for line in lines
            if (line["tool"], line["client_id"]) == ("refund_fee", client_id)
        ]


@asynccontextmanager
async def refund_mesh(data: Path) -> AsyncIterator[RefundMesh]:
    environment = {
        "PYTHONPATH": str(ROOT),
        "VOICEMESH_SPEECH_PROVIDER": ENGINE,
        "VOICEMESH_LOG_LEVEL": "warning",
    }
    mesh = LocalMesh(Ports.free(), data=data, print_line=silent, environment=environment)
    async with mesh:
        yield RefundMesh(mesh, data)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bank(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RefundMesh]:
    async with refund_mesh(tmp_path_factory.mktemp("refunds")) as running:
        yield running


def asks(fee: str, amount: str) -> str:
    return f"Refund your {fee} fee of {amount} dollars to your account. Shall I go ahead?"


async def test_it_happens_once_and_the_next_is_past_the_day_s_limit(bank: RefundMesh) -> None:
    said = await bank.call(
        "my name is Alice Brown and my last four are 1234",
        "please refund the late fee of twenty nine dollars",
        "yes",
        "yes please",
        "please refund the foreign transaction fee of 12 dollars and 36 cents",
        "yes",
    )
    assert said[1] == MAY_I
    assert said[2].startswith(asks("late", "29")), "word for word"
    assert said[3].startswith("I have refunded your late payment fee of 29 dollars")
    assert said[4].startswith(asks("foreign transaction", "12.36"))
    assert said[5].startswith(PER_DAY)
    assert bank.refunded("alice_brown_ab") == [("Late payment fee", Decimal(29))]
    assert bank.outcomes("alice_brown_ab") == [
        "CONSENT_NEEDED", "CONFIRMATION_NEEDED", "RESULT", "CONFIRMATION_NEEDED", "LIMIT_REACHED",
    ]  # fmt: skip


async def test_a_yes_to_another_amount_confirms_nothing(bank: RefundMesh) -> None:
    """Jane is asked about thirty and says yes to thirty five: she is asked again, and says no."""
    said = await bank.call(
        "my name is Jane Doe and my last four are 5678",
        "please refund the overdraft fee of thirty dollars",
        "yes",
        "yes but thirty five dollars",
        "no",
    )
    assert said[2].startswith(asks("overdraft", "30"))
    assert said[3].startswith(asks("overdraft", "35"))
    assert "I will not do that" in said[4]
    assert bank.refunded("CLT-002-JD") == []
    assert bank.outcomes("CLT-002-JD") == [
        "CONSENT_NEEDED", "CONFIRMATION_NEEDED", "CONFIRMATION_NEEDED",
    ]  # fmt: skip
