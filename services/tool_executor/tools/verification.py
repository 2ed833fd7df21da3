"""verify_client_identity: a name and four digits, both of which must match one customer."""

from __future__ import annotations

import hmac

from pydantic import BaseModel, Field

from tool_executor.customers import Customer, Customers
from tool_executor.names_of_people import same_name
from tool_executor.policy import IDENTITY
from toolkit import Effect, Proof, ToolResult, tool

ATTEMPTS = 3
NO_MATCH = (
    "I could not match that name with those last four digits. Please say your full name again, and"
    " then the last four digits of your social security number, one at a time."
)


class VerifyArguments(BaseModel, extra="forbid"):
    """What the caller says to prove who they are."""

    full_name: str = Field(
        description="Full name of the caller, first and last.", min_length=3, max_length=120
    )
    ssn_last_4: str = Field(
        description="Last four digits of the caller's social security number: exactly four digits.",
        pattern=r"^\d{4}$",
    )


class VerificationTools:
    """The tools that prove who is calling."""

    def __init__(self, customers: Customers) -> None:
        self._customers = customers

    @tool(
        "Verify who the caller is by their full name and the last four digits of their social"
        " security number. Needed before anything about their accounts can be said. For example:"
        " my name is Alice Brown and the last four digits are one two three four; this is John"
        " Smith, last four one two three four; you can verify me, it is Jane Doe, five six seven"
        " eight; my last four is nine nine nine nine; I want to verify my identity",
        effect=Effect.IDEMPOTENT,
        timeout_seconds=5.0,
        tags={"auth"},
        proves=IDENTITY,
        attempts=ATTEMPTS,
        shows={"authenticated", "client_id", "caller_name"},
    )
    async def verify_client_identity(self, args: VerifyArguments) -> ToolResult:
        """Success with the proof, or one refusal that does not say what did not match."""
        matching = [
            customer
            for customer in await self._customers.all_to_verify()
            if _matches(customer, args)
        ]
        if len(matching) != 1:  # two people alike cannot be told apart by this
            return ToolResult(False, NO_MATCH, {"authenticated": False})
        return _verified(matching[0])


def _matches(customer: Customer, args: VerifyArguments) -> bool:
    """Compares both always, the digits in constant time, so that timing tells of neither."""
    digits = hmac.compare_digest(customer.ssn_last_4.encode(), args.ssn_last_4.encode())
    name = same_name(args.full_name, customer.full_name)
    return digits & name


def _verified(customer: Customer) -> ToolResult:
    first_name = customer.full_name.split()[0]
    fields = {
        "authenticated": True,
        "client_id": customer.client_id,
        "caller_name": customer.full_name,
    }
    return ToolResult(
        True,
        f"Thank you, {first_name}, you are verified. How can I help you?",
        fields,
        proof=Proof(customer.client_id, method="name_and_last4"),
    )
