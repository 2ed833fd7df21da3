"""The one list of the tools that ship: what each needs is given to it here."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from meshkit.clock import SystemClock
from meshkit.settings import load_settings
from tool_executor.customers import WithRefunds, demo_customers
from tool_executor.knowledge import Knowledge
from tool_executor.refunds import Refunds
from tool_executor.settings import ToolExecutorSettings
from tool_executor.tools.accounts import AccountTools
from tool_executor.tools.knowledge_base import KnowledgeTools
from tool_executor.tools.refunds import RefundTools
from tool_executor.tools.verification import VerificationTools
from tool_executor.wiring import make_embedder, make_knowledge_base, min_score
from toolkit import Tool, tools_of

REFUNDS_FILE = "refunds.sqlite3"


def shipped_tools(knowledge: Knowledge, settings: ToolExecutorSettings) -> list[Tool]:
    """Every tool of this service. The demo's bank keeps what it booked in `data_folder`; where that
    is empty, in memory."""
    data_folder = settings.data_folder
    refunds = Refunds(Path(data_folder) / REFUNDS_FILE if data_folder else None)
    customers = WithRefunds(demo_customers(), refunds, _today)
    groups = (
        VerificationTools(customers),
        AccountTools(customers, today=_today),
        RefundTools(customers, refunds, today=_today),
        KnowledgeTools(knowledge, min_score(settings)),
    )
    return [tool for group in groups for tool in tools_of(group)]


def _today() -> date:
    return SystemClock().now().date()


def installed() -> list[Tool]:
    """The same with the settings of the environment: our own entry point for `initialize_tools`."""
    settings = load_settings(ToolExecutorSettings)
    knowledge = make_knowledge_base(settings, make_embedder(settings))
    return shipped_tools(knowledge, settings)
