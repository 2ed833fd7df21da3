"""What the gateway itself says to a caller, when no agent can. English; spoken in the engine's
default voice."""

from __future__ import annotations

REFUSAL = "All our lines are busy at the moment. Please call again in a few minutes. Goodbye."
APOLOGY = "I am sorry, we have a technical problem and must end this call. Please call again later."
TIME_LIMIT = "We have reached the time limit of this call. Thank you for calling. Goodbye."

SEGMENT = "notice/s0"
"""No turn has it, so it is in no journal."""
SECONDS = 10.0
"""How long a notice may take, from asking for it to its last sample."""
