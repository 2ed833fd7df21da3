"""The one list of the tools that ship: what each needs is given to it here."""

from __future__ import annotations

from meshkit.clock import SystemClock
from meshkit.settings import load_settings
from tool_executor.customers import demo_customers
from tool_executor.knowledge import Knowledge
from tool_executor.settings import ToolExecutorSettings
from tool_executor.tools.accounts import AccountTools
from tool_executor.tools.knowledge_base import KnowledgeTools
from tool_executor.tools.verification import VerificationTools
from tool_executor.wiring import make_embedder, make_knowledge_base
from toolkit import Tool, tools_of


def shipped_tools(knowledge: Knowledge) -> list[Tool]:
    """Every tool of this service."""
    customers = demo_customers()
    groups = (
        VerificationTools(customers),
        AccountTools(customers, today=lambda: SystemClock().now().date()),
        KnowledgeTools(knowledge),
    )
    return [tool for group in groups for tool in tools_of(group)]


def installed() -> list[Tool]:
    """The same with the settings of the environment: our own entry point for `initialize_tools`."""
    settings = load_settings(ToolExecutorSettings)
    return shipped_tools(make_knowledge_base(settings, make_embedder(settings)))
