"""What the gateway itself says to a caller, when no agent can. English; spoken in the engine's
default voice."""

from __future__ import annotations

REFUSAL = "All our lines are busy. Please call again in a few minutes."
APOLOGY = "Sorry, a technical problem ends this call. Please call again."
TIME_LIMIT = "This call has reached its time limit. Goodbye."

SEGMENT = "notice/s0"
"""No turn has it, so it is in no journal."""
SECONDS = 10.0
"""How long a notice may take, from asking for it to its last sample."""
