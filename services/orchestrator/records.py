"""Journal events of a conversation, from what the conversation knows. Pure."""

from __future__ import annotations

from orchestrator.history import Segment, ToolCall
from orchestrator.llm import Answered
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb
from voicemesh.session.v1 import journal_event_pb2 as event_pb
from voicemesh.tools.v1 import outcome_pb2

Event = event_pb.JournalEvent


def utterance_event(said: pb.UserUtterance) -> Event:
    """The caller finished an utterance."""
    accepted = event_pb.UtteranceAccepted(
        utterance=said.utterance,
        transcript=said.transcript,
        start_sample=said.start_sample,
        end_sample=said.end_sample,
        language_code=said.language_code,
        confidence=said.confidence,
        keyed=said.keyed,
    )
    return Event(event_id=said.utterance, utterance=accepted)


def turn_began_event(turn: str, cause: str, agent: str, traceparent: str = "") -> Event:
    """An agent takes the floor. `traceparent`: the turn's span, for whoever takes the turn up."""
    began = event_pb.TurnBegan(
        turn=turn, cause=cause, agent=f"agents/{agent}", traceparent=traceparent
    )
    return Event(event_id=turn, turn_began=began)


def round_event(
    turn: str, number: int, agent: str, text: str, calls: tuple[ToolCall, ...], by: Answered
) -> Event:
    """The model answered."""
    answered = event_pb.RoundAnswered(
        turn=turn,
        round=number,
        agent=f"agents/{agent}",
        text=text,
        tool_calls=[_tool_call(call) for call in calls],
        model=by.model,
        input_tokens=by.input_tokens,
        output_tokens=by.output_tokens,
    )
    return Event(event_id=f"{turn}/r{number}", round=answered)


def tool_event(call: ToolCall, outcome: outcome_pb2.ToolOutcome) -> Event:
    """A tool call came out. Its id is the request's, less the session: `t3/r0/1`."""
    turn, number, ordinal = call.request_id.split("/")[-3:]
    answered = event_pb.ToolAnswered(request_id=call.request_id, outcome=outcome)
    return Event(event_id=f"{turn}/r{number}/{ordinal}", tool=answered)


def segment_event(segment: Segment, agent: str) -> Event:
    """A segment is about to be spoken."""
    planned = event_pb.SegmentPlanned(
        segment=segment.name, text=segment.text, agent=f"agents/{agent}"
    )
    return Event(event_id=segment.name, segment=planned)


def turn_ended_event(turn: str, failure_reason: str) -> Event:
    """The agent has nothing more to say this turn."""
    ended = event_pb.TurnEnded(turn=turn, failure_reason=failure_reason)
    return Event(event_id=f"{turn}/end", turn_ended=ended)


def _tool_call(call: ToolCall) -> event_pb.ToolCall:
    return event_pb.ToolCall(
        request_id=call.request_id,
        call_id=call.call_id,
        tool=f"tools/{call.tool}",
        arguments_json=call.arguments,
    )
