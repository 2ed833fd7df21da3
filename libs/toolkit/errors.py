"""What a registry refuses, and what a tool may raise.

ToolkitError               a declaration is wrong; the message says which and what to do
  DuplicateTool            two tools have one name
  ToolNotFound             no tool has that name
OutcomeUnknown             of a tool: it may have acted
"""

from __future__ import annotations


class OutcomeUnknown(Exception):
    """Raised by a tool that may have acted, where nobody knows: the system it asked broke off. It is
    answered as such, is not repeated, and counts against its limits."""


class ToolkitError(Exception):
    """A tool is declared wrongly. The message names it and says what to do."""


class DuplicateTool(ToolkitError):
    """Two tools have one name."""


class ToolNotFound(ToolkitError):
    """No tool has that name."""
