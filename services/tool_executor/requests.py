"""What is asked of the executor."""

from __future__ import annotations

from dataclasses import dataclass

from tool_executor.ledger import NONE, Counts


@dataclass(frozen=True, slots=True)
class Request:
    """One run. Names are ids: `get_account_summary`, `concierge`."""

    tool: str
    session: str
    """`sessions/{session}`."""
    turn: str
    """`t{n}`."""
    agent: str
    request_id: str
    arguments_json: str
    owner_epoch: int = 0
    """Fencing token of the call; 0 for a session without one."""
    earlier: Counts = NONE
    """What ran before by the caller's journal, which knows of other pods."""
