"""A call as the policy sees it: a model that wants tools, a caller who answers, a real journal."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel

from tests.support.executor import RunningExecutor, running_executor
from tests.support.store import RunningStore, running_store
from tests.support.store_calls import append, create, set_verified
from tool_executor.audit import Audit
from toolkit import Effect, Limit, Registry, ToolContext, ToolResult, tool
from toolkit import registry as registry_module
from voicemesh.session.v1 import journal_event_pb2 as ev
from voicemesh.tools.v1.outcome_pb2 import ToolOutcome

REFUNDED = "Refund {amount} dollars to your account."
CONSENT = "May I record this call to train our staff?"


class Refund(BaseModel):
    """How much, and to whom."""

    amount: Decimal
    client_id: str | None = None


class Whose(BaseModel):
    """A client."""

    client_id: str | None = None


@dataclass
class Bank:
    """Tools of every kind of policy; `done` is what they did."""

    done: list[str] = field(default_factory=list)
    fails: str = ""
    """How the next refund fails: `says_no` or `raises`."""

    @tool(
        "Tell the balance.",
        effect=Effect.READ_ONLY,
        requires={"identity"},
        client_argument="client_id",
        shows={"balance"},
    )
    async def balance(self, args: Whose) -> ToolResult:
        return ToolResult(True, "Seven.", {"balance": 7, "account_number": "4000111122223333"})

    @tool(
        "Refund a fee.",
        requires={"identity"},
        client_argument="client_id",
        confirm=REFUNDED,
        limits=[Limit("amount", per_run=50, per_call=80, per_day=Decimal("100.00"))],
    )
    async def refund(self, args: Refund, context: ToolContext) -> ToolResult:
        return self._refund(args, context)

    @tool(
        "Refund at once.",
        requires={"identity"},
        client_argument="client_id",
        limits=[Limit("amount", per_call=80, per_day=100)],
    )
    async def pay(self, args: Refund, context: ToolContext) -> ToolResult:
        return self._refund(args, context)

    @tool("Send a card.", requires={"identity", "mfa"}, agents={"cards"})
    async def send_card(self) -> ToolResult:
        self.done.append("card")
        return ToolResult(True, "It is on its way.")

    @tool("Claim of another company.", requires={"business_caller"}, effect=Effect.READ_ONLY)
    async def claim(self) -> ToolResult:
        return ToolResult(True, "It is open.")

    @tool("Record the call.", requires={"identity", "consent"}, consent=CONSENT)
    async def record(self) -> ToolResult:
        self.done.append("record")
        return ToolResult(True, "It is recorded.")

    def _refund(self, args: Refund, context: ToolContext) -> ToolResult:
        if self.fails == "raises":
            raise RuntimeError("4000111122223333")
        if self.fails == "says_no":
            return ToolResult(False, "There is no such fee.")
        self.done.append(f"refund {args.amount} {args.client_id} {context.request_id}")
        return ToolResult(True, "It is refunded.")


@dataclass
class PolicyCall:
    """One call. Turns count up; each tool is wanted in a turn of its own."""

    executor: RunningExecutor
    store: RunningStore
    bank: Bank
    turn: int = 0
    utterance: int = 0

    async def wants(
        self, name: str, arguments: str = "{}", *, agent: str = "concierge", again: bool = False
    ) -> ToolOutcome:
        """The model calls a tool in the next turn, or in the same turn `again`."""
        self.turn += not again
        self._round = self._round + 1 if again else 0
        call = ev.ToolCall(
            request_id=f"sessions/a/t{self.turn}/{self._round}/0",
            tool=f"tools/{name}",
            arguments_json=arguments,
        )
        said = ev.RoundAnswered(turn=f"t{self.turn}", round=self._round, tool_calls=[call])
        event = ev.JournalEvent(event_id=f"t{self.turn}/r{self._round}", round=said)
        await append(self.store, event)
        self.last = self.executor.request(
            name, arguments, request_id=call.request_id, agent=f"agents/{agent}"
        )
        outcome = (await self.executor.send(self.last)).outcome
        answered = ev.ToolAnswered(request_id=call.request_id, outcome=outcome)
        id_ = f"t{self.turn}/r{self._round}/0"
        await append(self.store, ev.JournalEvent(event_id=id_, tool=answered))
        return outcome

    _round: int = 0

    async def hears(self, text: str, *, heard: int | None = None, turn: int = 0) -> None:
        """The agent says a text, of which the caller hears `heard` characters; all if None."""
        name = f"t{turn or self.turn}/s{self._segments}"
        self._segments += 1
        length = len(text) if heard is None else heard
        planned = ev.SegmentPlanned(segment=name, text=text)
        ended = ev.SegmentHeard(segment=name, heard_text_length=length)
        await append(
            self.store,
            ev.JournalEvent(event_id=name, segment=planned),
            ev.JournalEvent(event_id=f"{name}/heard", heard=ended),
        )

    _segments: int = 0

    async def says(self, text: str, *, keyed: bool = False) -> None:
        """The caller answers."""
        self.utterance += 1
        said = ev.UtteranceAccepted(utterance=f"u{self.utterance}", transcript=text, keyed=keyed)
        event = ev.JournalEvent(event_id=f"u{self.utterance}", utterance=said)
        await append(self.store, event)

    async def confirmed(self, name: str, arguments: str, reply: str = "Yes.") -> ToolOutcome:
        """A tool that asks, is answered, and is called again."""
        asked = await self.wants(name, arguments)
        await self.hears(asked.failure.message)
        await self.says(reply)
        return await self.wants(name, arguments)


def refund_of(amount: str) -> str:
    """Arguments as a model writes them."""
    return json.dumps({"amount": json.loads(amount)})


@asynccontextmanager
async def policy_call(
    folder: Path,
    *,
    audit: Audit | None = None,
    client: str = "alice",
    levels: tuple[str, ...] = ("identity",),
    tools: Registry | None = None,
) -> AsyncIterator[PolicyCall]:
    """A call of session `a` in which these levels are proved; `tools` instead of the bank's."""
    bank = Bank()
    async with running_store(folder) as store:
        registry = tools or Registry(registry_module.tools_of(bank))
        async with running_executor(registry, store.address, audit) as executor:
            await create(store)
            if client:
                await set_verified(store, client, *levels)
            yield PolicyCall(executor, store, bank)
