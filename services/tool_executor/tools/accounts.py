"""get_account_summary and get_recent_transactions: what the verified customer has and did."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from pydantic import BaseModel, Field

from tool_executor.customers import REFUND, Account, AccountType, Customer, Customers, Transaction
from tool_executor.policy import IDENTITY
from tool_executor.spoken import amount, day, listed
from toolkit import Effect, ToolResult, tool

SPOKEN_TRANSACTIONS = 3
UNKNOWN_CLIENT = "I could not find that customer."
_CLIENT = "Id of the verified client. Leave it out: it is filled in from the verification."


class SummaryArguments(BaseModel, extra="forbid"):
    """Which accounts."""

    client_id: str | None = Field(None, description=_CLIENT)
    account_type: AccountType | None = Field(
        None, description="Only the account of this type; all if left out."
    )


class TransactionsArguments(BaseModel, extra="forbid"):
    """How many."""

    client_id: str | None = Field(None, description=_CLIENT)
    limit: int = Field(5, ge=1, le=50, description="How many transactions, newest first.")


class AccountTools:
    """The tools that read accounts. `today` is the day by which dates are said."""

    def __init__(self, customers: Customers, today: Callable[[], date]) -> None:
        self._customers, self._today = customers, today

    @tool(
        "Tell the balance and the available money of the caller's checking and savings accounts."
        " For example: what is my balance; how much money do I have; how much is in my checking"
        " account; what do I have in savings; can you tell me my account balance; give me a summary"
        " of my accounts",
        effect=Effect.READ_ONLY,
        timeout_seconds=5.0,
        tags={"banking"},
        requires={IDENTITY},
        client_argument="client_id",
        shows={"client_id", "accounts"},
    )
    async def get_account_summary(self, args: SummaryArguments) -> ToolResult:
        """Accounts with balance, what is available, and the number's last four digits."""
        customer = await self._customers.by_client_id(args.client_id or "")
        if customer is None:
            return ToolResult(False, UNKNOWN_CLIENT)
        accounts = [a for a in customer.accounts if args.account_type in (None, a.type)]
        if not accounts:
            return ToolResult(False, f"You have no {args.account_type} account with us.")
        fields = {"client_id": customer.client_id, "accounts": [_shown(a) for a in accounts]}
        return ToolResult(True, " ".join(map(_balance, accounts)), fields)

    @tool(
        "List the caller's most recent transactions: payments, deposits and fees. For example: what"
        " were my last transactions; show me my recent payments; what did I spend lately; what was"
        " my last purchase; read me the latest activity on my account",
        effect=Effect.READ_ONLY,
        timeout_seconds=5.0,
        tags={"banking"},
        requires={IDENTITY},
        client_argument="client_id",
        shows={"client_id", "transactions"},
    )
    async def get_recent_transactions(self, args: TransactionsArguments) -> ToolResult:
        """Transactions, newest first; fees name the transaction they were charged for."""
        customer = await self._customers.by_client_id(args.client_id or "")
        if customer is None:
            return ToolResult(False, UNKNOWN_CLIENT)
        today = self._today()
        transactions = customer.transactions[: args.limit]
        fields = {
            "client_id": customer.client_id,
            "transactions": [_booked(entry, today) for entry in transactions],
        }
        return ToolResult(True, _recent(customer, transactions, today), fields)


def _balance(account: Account) -> str:
    said = f"Your {account.type} account has {amount(account.available)} available."
    pending = account.balance - account.available
    return f"{said} {amount(pending)} of its balance are on hold." if pending else said


def _shown(account: Account) -> dict[str, Any]:
    return {
        "type": account.type,
        "balance": float(account.balance),
        "available": float(account.available),
        "account_number_last4": account.last_4,
    }


def _booked(entry: Transaction, today: date) -> dict[str, Any]:
    kept = entry.model_dump(exclude={"days_ago"}, exclude_defaults=True, mode="python")
    decimals = {"amount": float(entry.amount)}
    if entry.original_amount is not None:
        decimals["original_amount"] = float(entry.original_amount)
    return {**kept, **decimals, "date": entry.booked_on(today).isoformat()}


def _recent(customer: Customer, entries: tuple[Transaction, ...], today: date) -> str:
    if not entries:
        return "You have no recent transactions."
    said = [_said(entry, customer, today) for entry in _spoken(entries)]
    if len(said) == 1:
        return f"Your latest transaction was {said[0]}."
    return f"Your latest transactions were: {listed(said)}."


def _spoken(entries: tuple[Transaction, ...]) -> list[Transaction]:
    return list(entries[:SPOKEN_TRANSACTIONS])


def _said(entry: Transaction, customer: Customer, today: date) -> str:
    when = day(entry.booked_on(today), today)
    if entry.category == "fee":
        return (
            f"{when} a {entry.merchant.lower()} of {amount(-entry.amount)}{_cause(entry, customer)}"
        )
    if entry.category == REFUND:
        return f"{when} a {entry.merchant[0].lower()}{entry.merchant[1:]}, {amount(entry.amount)}"
    if entry.amount > 0:
        return f"{when} a deposit of {amount(entry.amount)} from {entry.merchant}"
    return f"{when} {amount(-entry.amount)} at {entry.merchant}{_place(entry)}"


def _place(entry: Transaction) -> str:
    return f" in {entry.city}, {entry.country}" if entry.city else ""


def _cause(fee: Transaction, customer: Customer) -> str:
    charged = [entry for entry in customer.transactions if entry.id == fee.fee_for]
    return f" for {charged[0].merchant}{_place(charged[0])}" if charged else ""
