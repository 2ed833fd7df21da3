"""What a registry refuses.

ToolkitError               a declaration is wrong; the message says which and what to do
  DuplicateTool            two tools have one name
  ToolNotFound             no tool has that name
"""

from __future__ import annotations


class ToolkitError(Exception):
    """A tool is declared wrongly. The message names it and says what to do."""


class DuplicateTool(ToolkitError):
    """Two tools have one name."""


class ToolNotFound(ToolkitError):
    """No tool has that name."""
