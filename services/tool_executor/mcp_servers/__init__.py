"""Tools of MCP servers, in our registry under our policy, deadlines and audit.

`declared` is the deployment's file: which servers, which of their tools, under which policy. `sdk`
is the one module that imports the protocol's SDK. `connection` keeps one server connected and its
tools in the registry. What a server says of itself (that a tool only reads, what a caller may do) is
not believed: only the file decides. A server gets the arguments of a call and nothing else; it
cannot ask our model or our caller for anything.
"""

from tool_executor.mcp_servers.connection import McpServers
from tool_executor.mcp_servers.declared import (
    DeclaredServer,
    DeclaredTool,
    declared_policy,
    read_servers,
)

__all__ = ["DeclaredServer", "DeclaredTool", "McpServers", "declared_policy", "read_servers"]
