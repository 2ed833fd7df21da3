"""A call with the planner: says lines, answers its tool calls from a bank, keeps the history."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from planner.conversation import Decision, Message, PlannedCall, Tool, ToolCall
from planner.dialogue import decide
from planner.intents import Embedder

MAX_ROUNDS = 6
ASK_IDENTITY = (
    "Before I can do that, I need to verify who you are. Please tell me your full name and the last"
    " four digits of your social security number."
)
NOT_VERIFIED = {
    "success": False,
    "reason": "NOT_VERIFIED",
    "message": ASK_IDENTITY,
    "retryable": True,
}

Result = Mapping[str, Any]


class Bank:
    """Answers tool calls. Account tools refuse until Alice Brown has proved who she is."""

    def __init__(self, results: Mapping[str, Result] | None = None) -> None:
        self.verified = False
        self._results = {
            "get_account_summary": {"success": True, "message": "You have 1250 dollars."},
            "get_recent_transactions": {"success": True, "message": "You bought a book."},
            "search_knowledge_base": {"success": True, "message": "Abroad costs three percent."},
            **(results or {}),
        }

    def __call__(self, call: PlannedCall) -> Result:
        if call.tool == "verify_client_identity":
            return self._verify(call.arguments)
        if call.tool in ("get_account_summary", "get_recent_transactions") and not self.verified:
            return NOT_VERIFIED
        return self._results.get(call.tool, {"success": True, "message": "Done."})

    def _verify(self, given: Mapping[str, Any]) -> Result:
        proof = next((given[key] for key in ("last_four", "ssn_last_4") if key in given), "")
        self.verified = (given.get("full_name"), proof) == ("Alice Brown", "1234")
        if not self.verified:
            return {"success": False, "message": "I could not match that. Please say both again."}
        message = "Thank you, Alice, you are verified. How can I help you?"
        return {"success": True, "message": message, "client_id": "CLT-7"}


@dataclass
class PhoneCall:
    """The conversation so far, and what the planner did in it."""

    tools: Sequence[Tool]
    embedder: Embedder
    bank: Callable[[PlannedCall], Result] = field(default_factory=Bank)
    messages: list[Message] = field(
        default_factory=lambda: [
            Message("system", "You are Ava, the concierge of Contoso Bank."),
            Message("assistant", "Hello, this is Ava at Contoso Bank. How can I help you?"),
        ]
    )
    called: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    whys: list[str] = field(default_factory=list)

    def says(self, line: str) -> str:
        """The caller says a line; what the agent says until it is the caller's turn again."""
        self.messages.append(Message("user", line))
        return self.answers()

    def answers(self) -> str:
        """The agent's turn."""
        spoken: list[str] = []
        for _ in range(MAX_ROUNDS):
            decision = decide(self.messages, self.tools, self.embedder)
            self.whys.append(decision.why)
            spoken += [decision.text] if decision.text else []
            self.messages.append(Message("assistant", decision.text, self._calls(decision)))
            if not decision.calls:
                return " ".join(spoken)
            self._run(decision)
        raise AssertionError(f"no end of rounds: {self.whys}")

    def cut_short(self, words: int) -> None:
        """The caller has heard only so many words of what the agent said last."""
        last = self.messages.pop()
        heard = " ".join(last.text.split()[:words])
        if heard:
            self.messages.append(Message("assistant", heard + "…"))

    def _calls(self, decision: Decision) -> tuple[ToolCall, ...]:
        start = len(self.called)
        return tuple(
            ToolCall(f"call_{start + n}", call.tool, json.dumps(dict(call.arguments)))
            for n, call in enumerate(decision.calls)
        )

    def _run(self, decision: Decision) -> None:
        for call in decision.calls:
            content = json.dumps(self.bank(call))
            message = Message("tool", content, tool_call_id=f"call_{len(self.called)}")
            self.messages.append(message)
            self.called.append((call.tool, dict(call.arguments)))
