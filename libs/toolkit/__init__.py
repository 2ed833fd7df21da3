"""What tool authors import: declaring tools, the registry, and running a tool by hand.

    @tool, Effect, ToolContext, ToolResult, Proof     write a tool
    register_tool, get_tools_for_agent,               the same by functions, as the seed has them,
    execute_tool, initialize_tools, ...               over one default registry
    Registry, tools_of, add_folder, add_installed     a registry of one's own, and what fills it

It knows nothing else of the mesh, and enforces nothing but the shape of arguments: the
tool-executor runs tools on a call, under what is declared here.
"""

from toolkit.arguments import ArgumentsInvalid, check_arguments, parse_arguments
from toolkit.declaring import tool
from toolkit.default import (
    default_registry,
    execute_tool,
    get_tool_definition,
    get_tool_executor,
    get_tool_schema,
    get_tools_for_agent,
    initialize_tools,
    list_tools,
    register_tool,
    reset_registry,
)
from toolkit.discovery import add_folder, add_installed
from toolkit.errors import DuplicateTool, OutcomeUnknown, ToolkitError, ToolNotFound
from toolkit.limits import Limit
from toolkit.registry import Registry, tools_of
from toolkit.tool import Effect, Policy, Proof, Tool, ToolContext, ToolResult

__all__ = [
    "ArgumentsInvalid",
    "DuplicateTool",
    "Effect",
    "Limit",
    "OutcomeUnknown",
    "Policy",
    "Proof",
    "Registry",
    "Tool",
    "ToolContext",
    "ToolNotFound",
    "ToolResult",
    "ToolkitError",
    "add_folder",
    "add_installed",
    "check_arguments",
    "default_registry",
    "execute_tool",
    "get_tool_definition",
    "get_tool_executor",
    "get_tool_schema",
    "get_tools_for_agent",
    "initialize_tools",
    "list_tools",
    "parse_arguments",
    "register_tool",
    "reset_registry",
    "tool",
    "tools_of",
]
