"""refund_fee: gives a fee back to the verified caller, within limits, after their consent and yes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from meshkit.logging import get_logger
from tool_executor.customers import Customers, Transaction
from tool_executor.policy import IDENTITY
from tool_executor.refunds import Fee, Refunds
from tool_executor.spoken import amount, day
from tool_executor.tools.accounts import UNKNOWN_CLIENT
from toolkit import Effect, Limit, ToolContext, ToolResult, tool

logger = get_logger("tool_executor.refunds")

MOST_DOLLARS = 50
"""Of one fee, in one call and in one day; as corpus/policies/fees.md promises."""
CONSENT = "consent:account_changes"
MAY_I = "May I make changes to your account on this call, and keep a record of your instructions?"
NOT_BOOKED = "I am sorry, I could not book that just now, so nothing was changed."

FeeKind = Literal["late", "overdraft", "foreign transaction", "monthly"]
Dollars = Annotated[
    Decimal,
    Field(gt=0, max_digits=9, decimal_places=2),
    AfterValidator(lambda value: value.quantize(Decimal("0.01"))),
    WithJsonSchema(
        {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "Amount of the fee in dollars, exactly as it was charged.",
        }
    ),
]


class RefundArguments(BaseModel, extra="forbid"):
    """Which fee."""

    fee: FeeKind = Field(description="Which fee it is.")
    amount: Dollars
    client_id: str | None = Field(
        None,
        description="Id of the verified client. Leave it out: it is filled in from the verification.",
    )


class RefundTools:
    """The tool that gives fees back. `today` is the day on which they are booked."""

    def __init__(self, customers: Customers, refunds: Refunds, today: Callable[[], date]) -> None:
        self._customers, self._refunds, self._today = customers, refunds, today

    @tool(
        "Refund a fee to the caller's account. For example: please refund the late fee; I want my"
        " overdraft fee back; can you give me back the foreign transaction fee; can the monthly fee"
        " be waived; reverse the fee of twenty nine dollars",
        effect=Effect.EFFECTFUL,
        timeout_seconds=5.0,
        concurrency=4,
        tags={"banking"},
        agents={"concierge"},
        requires={IDENTITY, CONSENT},
        consent=MAY_I,
        confirm="Refund your {fee} fee of {amount} dollars to your account.",
        client_argument="client_id",
        limits=[
            Limit("amount", per_run=MOST_DOLLARS, per_call=MOST_DOLLARS, per_day=MOST_DOLLARS),
            Limit(per_day=1),
        ],
        shows={"refunded", "fee"},
    )
    async def refund_fee(self, args: RefundArguments, context: ToolContext) -> ToolResult:
        """Book the refund of a fee that was charged, once."""
        customer = await self._customers.by_client_id(args.client_id or "")
        if customer is None:
            return ToolResult(False, UNKNOWN_CLIENT)
        today = self._today()
        charged = [one for one in customer.transactions if one.category == "fee"]
        found = [one for one in charged if _is(one, args)]
        if not found:
            return ToolResult(False, _no_such_fee(args, charged, today))
        of = found[0]
        fee = Fee(customer.client_id, of.id, of.booked_on(today), of.merchant, -of.amount)
        return await self._booked(fee, today, context.request_id)

    async def _booked(self, fee: Fee, today: date, request_id: str) -> ToolResult:
        try:
            refund = await asyncio.to_thread(self._refunds.book, fee, today, request_id)
        except (sqlite3.Error, OSError) as error:
            logger.error("refund not booked", extra={"cause": type(error).__name__})
            return ToolResult(False, NOT_BOOKED)
        name = fee.name.lower()
        if refund.request_id != request_id:
            return ToolResult(False, f"Your {name} was refunded {day(refund.booked_on, today)}.")
        said = f"I have refunded your {name} of {amount(fee.amount)} to your checking account."
        return ToolResult(True, said, {"refunded": float(fee.amount), "fee": fee.name})


def _is(charged: Transaction, args: RefundArguments) -> bool:
    return charged.merchant.lower().startswith(args.fee) and -charged.amount == args.amount


def _no_such_fee(args: RefundArguments, charged: Sequence[Transaction], today: date) -> str:
    said = f"I see no {args.fee} fee of {amount(args.amount)} on your account."
    if not charged:
        return said
    near = next((one for one in charged if one.merchant.lower().startswith(args.fee)), charged[0])
    when = day(near.booked_on(today), today)
    return f"{said} There is a {near.merchant.lower()} of {amount(-near.amount)} {when}."
