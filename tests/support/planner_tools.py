"""Tools as requests offer them to the planner: the demo call's four, and fifteen of a bank."""

from __future__ import annotations

from typing import Any

import toolkit
from planner.conversation import Tool
from tool_executor.tools.accounts import AccountTools
from tool_executor.tools.knowledge_base import KnowledgeTools
from tool_executor.tools.refunds import RefundTools
from tool_executor.tools.verification import VerificationTools


def text(description: str, **more: Any) -> dict[str, Any]:
    """A string property."""
    return {"type": "string", "description": description, **more}


def number(description: str, **more: Any) -> dict[str, Any]:
    """A number property."""
    return {"type": "number", "description": description, **more}


def tool(
    tool_name: str,
    purpose: str,
    examples: str = "",
    required: tuple[str, ...] = (),
    effectful: bool = False,
    **properties: dict[str, Any],
) -> Tool:
    """A tool in the form that README.md asks of authors."""
    parameters: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": list(required),
    }
    if effectful:
        parameters["x-effect"] = "effectful"
    ending = f" For example: {examples}." if examples else ""
    return Tool(tool_name, purpose + ending, parameters)


def wire(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    """The tools in the form of the OpenAI wire."""
    return [
        {
            "type": "function",
            "function": {
                "name": one.name,
                "description": one.description,
                "parameters": dict(one.parameters),
            },
        }
        for one in tools
    ]


VERIFY = tool(
    "verify_client_identity",
    "Verify the caller's identity by their full name and the last four digits of their social"
    " security number.",
    "my name is Alice Brown and the last four digits are one two three four; this is John Smith,"
    " last four 9 8 7 6; it's Maria Lopez and my last four are 4421",
    ("full_name", "last_four"),
    full_name=text("The caller's full name."),
    last_four=text("Last four digits of the social security number.", pattern=r"^\d{4}$"),
)
SUMMARY = tool(
    "get_account_summary",
    "Get the balance of the caller's accounts.",
    "what is my balance; how much money do I have in checking; what do I owe on my credit card",
    client_id=text("The verified client."),
    account_type=text("Which account.", enum=["checking", "savings", "credit"]),
)
TRANSACTIONS = tool(
    "get_recent_transactions",
    "List the caller's most recent transactions.",
    "what are my latest transactions; what did I spend this week; show me my last five payments",
    client_id=text("The verified client."),
    limit={"type": "integer", "description": "How many transactions to list."},
)
KNOWLEDGE = tool(
    "search_knowledge_base",
    "Look up the bank's policies and fees and how things work.",
    "why was I charged a foreign transaction fee; how can I get a fee refunded; what do you charge"
    " for wire transfers",
    ("query",),
    query=text("The question to answer."),
    collection=text("policies, products or faq; leave it out to search all of them."),
    top_k={"type": "integer", "description": "How many passages to return."},
)
DEMO = (VERIFY, SUMMARY, TRANSACTIONS, KNOWLEDGE)
"""The four tools of the demo call."""


def shipped() -> tuple[Tool, ...]:
    """The tools that the tool-executor ships, as their authors wrote them and models are offered
    them."""
    declared = (
        VerificationTools.verify_client_identity,
        AccountTools.get_account_summary,
        AccountTools.get_recent_transactions,
        RefundTools.refund_fee,
        KnowledgeTools.search_knowledge_base,
    )
    return tuple(_offered(one) for one in declared)


def _offered(declared: toolkit.Tool) -> Tool:
    marked = {"x-effect": "confirmed"} if declared.policy.confirm else {}
    return Tool(declared.name, declared.description, {**declared.parameters, **marked})


_ACCOUNTS = ["checking", "savings", "credit card"]

BANK = (
    tool(
        "verify_client",
        "Verify the identity of the caller with their client id.",
        "my client number is 7 7 1; here is my customer id; I am client 5502; my id is nine eight"
        " seven",
        ("client_id",),
        client_id=text("client id or client number, digits only"),
    ),
    tool(
        "get_balance",
        "Get the current balance of one of the caller's accounts.",
        "how much do I have in my account; check my balance; what's left in my account; how much do"
        " I owe on my card",
        account=text("which account", enum=_ACCOUNTS),
    ),
    tool(
        "list_transactions",
        "List the most recent transactions or payments on the account.",
        "what are my latest transactions; go over my recent activity; what purchases did I make this"
        " week; recent account history",
        count=number("how many transactions to list"),
    ),
    tool(
        "refund_fee",
        "Refund or reverse a fee that the bank charged.",
        "I want a refund of a fee; reverse the monthly fee you charged me; why was I charged a fee,"
        " please take it off; waive the service charge",
        effectful=True,
        fee_type=text("kind of fee, for example late fee, overdraft fee, monthly fee"),
    ),
    tool(
        "block_card",
        "Block a lost or stolen card.",
        "my card was stolen; I lost my card; freeze my card; please block my card",
        effectful=True,
        card_type=text("card type", enum=["debit", "credit"]),
    ),
    tool(
        "order_new_card",
        "Order a replacement card to be mailed to the caller.",
        "I need a new card; send a replacement card; my card expired; my card broke",
        effectful=True,
        card_type=text("card type", enum=["debit", "credit"]),
    ),
    tool(
        "transfer_money",
        "Transfer money between the caller's own accounts.",
        "move money between my accounts; transfer 300 dollars to savings; send a hundred from"
        " checking to savings; put money into my savings",
        ("amount", "to_account"),
        effectful=True,
        amount=number("amount in dollars"),
        to_account=text("destination account", enum=_ACCOUNTS),
    ),
    tool(
        "dispute_charge",
        "Open a dispute for an unknown or wrong card purchase.",
        "I did not make this purchase; there is an unknown charge on my card; I want to dispute a"
        " transaction; I was billed two times",
        effectful=True,
        amount=number("amount of the charge in dollars"),
        merchant=text("merchant name"),
    ),
    tool(
        "update_address",
        "Update the mailing address of the caller.",
        "change my mailing address; I moved to a new house; update my address; my address is wrong",
        effectful=True,
        address=text("the new address"),
    ),
    tool(
        "reset_password",
        "Reset the online banking password or unlock the login.",
        "I can't log in; reset my password; I forgot my login; my online account is locked",
        effectful=True,
    ),
    tool(
        "schedule_payment",
        "Set up a scheduled or recurring payment to a payee.",
        "set up a recurring payment; pay my rent every month; schedule a bill payment; pay the phone"
        " bill next week",
        effectful=True,
        amount=number("amount in dollars"),
        payee=text("who to pay"),
    ),
    tool(
        "find_branch",
        "Find the nearest branch or ATM and its opening hours.",
        "where is your closest branch; find an ATM near me; what are your opening hours; is the"
        " branch open on sunday",
        location=text("place, city or zip code"),
    ),
    tool(
        "get_rates",
        "Give the current interest rates for loans, mortgages or savings.",
        "what are your mortgage rates; interest rate for a car loan; what is the savings rate; how"
        " much is the APR",
        product=text("product name"),
    ),
    tool(
        "transfer_to_human",
        "Transfer the call to a human agent.",
        "I want to talk to a person; connect me to an agent; get me a representative; speak with a"
        " manager",
        department=text("department"),
    ),
    tool(
        "end_call",
        "End the call politely when the caller says goodbye or is done.",
        "goodbye; that is everything, thanks; bye bye; nothing else, thank you",
    ),
)
"""Fifteen tools of a bank, with four example phrases each."""
