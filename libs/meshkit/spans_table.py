"""Every span and attribute of the mesh, declared once; a test holds the code to it.

A request between services has a span on either side, called `{package.Service}/{Method}`: the
caller's lasts from the decision to ask until the answer, the callee's lies within it, and what is left
is the way there and back. Those of QUIET are told only where they say something.

Names and attributes of models, tools and agents are the GenAI conventions':
https://opentelemetry.io/docs/specs/semconv/gen-ai/ (in development; as of v1.41).
"""

from __future__ import annotations

SPANS = {
    "call": "gateway: the life of a call, the root of its trace",
    "invoke_agent {gen_ai.agent.name}": "orchestrator: a turn, from its cause to its last segment",
    "chat {gen_ai.request.model}": "orchestrator: one answer of the model",
    "execute_tool {gen_ai.tool.name}": "tool-executor: the body of a tool",
    "redis {db.operation.name}": "session-store: one round trip to Redis, retries within it",
    "answer": "gateway: a turn as the caller had it, from the end of speech to its first frame",
    "stage_final": "gateway: of `answer`, from the end of speech to the final transcript",
    "stage_first_token": "gateway: then to the model's first token",
    "stage_first_segment": "gateway: then to the first segment of the answer",
    "stage_first_audio": "gateway: then to its first audio from the synthesiser",
    "stage_first_frame": "gateway: then to its first frame on the caller's socket",
}
"""Every span of ours by name and meaning, but for those of requests."""

ATTRIBUTES = {
    "voicemesh.session": ("string", "id of the session"),
    "voicemesh.turn": ("string", "id of the turn within the session"),
    "voicemesh.outcome": ("string", "completed, interrupted or failed"),
    "voicemesh.slow": ("bool", "whether the first frame came later than a caller takes for prompt"),
    "voicemesh.resumed": ("bool", "whether the turn was taken up where another pod left it"),
    "error.type": ("string", "type of what ended the span, or the reason that was answered"),
    "rpc.system": ("string", "grpc"),
    "server.address": ("string", "host and port of the pod that was asked"),
    "db.system.name": ("string", "redis; Valkey, too, speaks its protocol"),
    "db.operation.name": (
        "string",
        "name of the script, of several in one round trip joined by `+`",
    ),
    "gen_ai.operation.name": ("string", "chat, execute_tool or invoke_agent"),
    "gen_ai.conversation.id": ("string", "id of the session, under the conventions' name"),
    "gen_ai.agent.name": ("string", "name of the agent that answers"),
    "gen_ai.tool.name": ("string", "name of the tool"),
    "gen_ai.provider.name": ("string", "whose model it is; `local`: on this machine"),
    "gen_ai.request.model": ("string", "the model that was asked for"),
    "gen_ai.response.model": ("string", "the model that answered"),
    "gen_ai.usage.input_tokens": ("int", "tokens that the model read"),
    "gen_ai.usage.output_tokens": ("int", "tokens that the model wrote"),
}
"""Every attribute of our spans: type and meaning."""

CONSTANT = frozenset(
    {
        "rpc.system",
        "db.system.name",
        "db.operation.name",
        "gen_ai.operation.name",
        "voicemesh.outcome",
    }
)
"""Attributes whose values stand in our own code: they pass as they are, all others are redacted."""

QUIET = frozenset(
    {
        "voicemesh.session.v1.CallOwnershipService/RenewCall",
        "voicemesh.session.v1.JournalService/AppendEvents",
        "voicemesh.session.v1.ToolClaimService/RenewToolClaim",
        "voicemesh.session.v1.QuotaService/RenewQuotas",
        "voicemesh.speech.v1.SpeechPoolService/RenewLease",
    }
)
"""Requests by the clock, and writes that nobody waits for: a call makes more of them than of all others
together. Their spans are told where they failed or took QUIET_SECONDS; metrics have them all."""
QUIET_SECONDS = 0.1
