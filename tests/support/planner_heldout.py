"""Held-out utterances for the planner. **Never tune on them**: read the score, change nothing for it.

They were written, with less direct wording on purpose, before the first line of the planner was,
by the same author; `tests/load/planner_eval.py` prints their score beside the development score.
"""

from __future__ import annotations

from tests.support.planner_expectation import Expectation

E = Expectation

BANK = (
    E("you can look me up under 88120", "verify_client", {"client_id": "88120"}),
    E("customer 5 5 1 9 here", "verify_client", {"client_id": "5519"}),
    E("the number on my letter says client four zero two", "verify_client", {"client_id": "402"}),
    E("am I still in the black", "get_balance"),
    E("how's my checking doing", "get_balance", {"account": "checking"}),
    E("what's the damage on my credit card right now", "get_balance", {"account": "credit card"}),
    E("where did my money go this week", "list_transactions"),
    E("anything new come through on my account", "list_transactions"),
    E("read back the last three things I bought", "list_transactions", {"count": 3}),
    E("that maintenance fee isn't fair, can you undo it", "refund_fee"),
    E("I shouldn't have to pay the late fee", "refund_fee", {"fee_type": "late fee"}),
    E("I'd like the twelve dollar service charge given back", "refund_fee"),
    E("my wallet got stolen on the bus", "block_card"),
    E("put a hold on my debit card please", "block_card", {"card_type": "debit"}),
    E("I think somebody has a copy of my card, shut it off", "block_card"),
    E(
        "the chip on my credit card doesn't work any more, can you mail me another",
        "order_new_card",
        {"card_type": "credit"},
    ),
    E("my card runs out next month", "order_new_card"),
    E(
        "I cut up my debit card by accident and need another one",
        "order_new_card",
        {"card_type": "debit"},
    ),
    E(
        "shift three hundred over to savings",
        "transfer_money",
        {"amount": 300, "to_account": "savings"},
    ),
    E(
        "can you top up my checking with 75 dollars",
        "transfer_money",
        {"amount": 75, "to_account": "checking"},
    ),
    E(
        "take 40 from savings and drop it in checking",
        "transfer_money",
        {"amount": 40, "to_account": "checking"},
    ),
    E(
        "who is this Netflix charge from, it wasn't me",
        "dispute_charge",
        {"merchant": "netflix"},
    ),
    E("the restaurant billed me the wrong amount", "dispute_charge"),
    E("there's sixty dollars on my statement I never spent", "dispute_charge", {"amount": 60}),
    E("we just bought a house and you need to send mail there", "update_address"),
    E("my letters go to the wrong place", "update_address"),
    E("please note my new home, 9 Elm Road", "update_address", {"address": "9 elm road"}),
    E("the website keeps saying my credentials are wrong", "reset_password"),
    E("I can't sign in on my phone any more", "reset_password"),
    E("make sure my rent of 900 goes out on the first", "schedule_payment", {"amount": 900}),
    E("send the gas company 60 bucks next tuesday", "schedule_payment", {"amount": 60}),
    E("where can I get cash around here", "find_branch"),
    E("are you guys open tomorrow", "find_branch"),
    E("do you have an office in Denver", "find_branch", {"location": "denver"}),
    E("how expensive is borrowing for a car at the moment", "get_rates"),
    E("what would I earn on a savings account", "get_rates"),
    E("this isn't helping, give me someone who can", "transfer_to_human"),
    E("is there anybody in person I could speak with", "transfer_to_human"),
    E("I think we're done here, take care", "end_call"),
    E("all set, have a good one", "end_call"),
    E("do you like music", None),
    E("sorry I dropped the phone", None),
    E("what's the capital of France", None),
    E("just a minute, somebody's at the door", None),
    E("hmm let me think", None),
    E("is this thing on", None),
)
"""For the fifteen banking tools of `planner_tools.BANK`."""

DEMO = (
    E(
        "It's Alice Brown, one two three four.",
        "verify_client_identity",
        {"full_name": "Alice Brown", "last_four": "1234"},
    ),
    E(
        "alice brown 1 2 3 4",
        "verify_client_identity",
        {"full_name": "Alice Brown", "last_four": "1234"},
    ),
    E(
        "you should find me under Alice Brown, card ending 1234",
        "verify_client_identity",
        {"full_name": "Alice Brown", "last_four": "1234"},
    ),
    E("how much have I got left", "get_account_summary"),
    E("what's in my savings", "get_account_summary", {"account_type": "savings"}),
    E("tell me where my checking stands", "get_account_summary", {"account_type": "checking"}),
    E("what did I buy recently", "get_recent_transactions"),
    E("show me the last three payments", "get_recent_transactions", {"limit": 3}),
    E("what went out of my account this week", "get_recent_transactions"),
    E("what was that extra three percent for on my Paris purchase", "search_knowledge_base"),
    E("do you charge for using the card abroad", "search_knowledge_base"),
    E("how do I get a fee back", "search_knowledge_base"),
    E("what happens if my card is stolen", "search_knowledge_base"),
    E("how long does a transfer take", "search_knowledge_base"),
    E("goodbye then", None),
    E("that's all", None),
    E("thanks so much", None),
    E("hello", None),
    E("can you say that again", None),
    E("what's the weather", None),
    E("yes", None),
    E("what can you do", None),
)
"""For the four tools of the demo call, `planner_tools.DEMO`."""
